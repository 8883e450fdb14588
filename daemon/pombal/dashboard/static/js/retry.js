// A page that says "not now" looks again by itself, until what was asked for is there.
const PAUSE_MS = 3000;

async function look() {
  try {
    const response = await fetch(location.href, { cache: "no-store", headers: { Accept: "text/html" } });
    if (response.ok) { location.reload(); return; }
  } catch {
    // nobody answers yet
  }
  setTimeout(look, PAUSE_MS);
}

if (document.querySelector("[data-retry]")) setTimeout(look, PAUSE_MS);
