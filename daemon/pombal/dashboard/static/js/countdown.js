// Seconds until a code changes, and on to the next page once a phone has been linked.
const MOVE_ON_MS = 1200;

function count() {
  for (const place of document.querySelectorAll("[data-countdown]")) {
    const seconds = Math.max(0, Math.ceil((Number(place.dataset.countdown) - Date.now()) / 1000));
    place.textContent = `${seconds} s`;
  }
}

function moveOn() {
  const done = document.querySelector("[data-move-on]");
  if (done && !done.dataset.moving) {
    done.dataset.moving = "yes";
    setTimeout(() => location.assign(done.dataset.moveOn), MOVE_ON_MS);
  }
}

if (document.querySelector('[data-part="link"]')) {
  setInterval(count, 1000);
  document.addEventListener("part", () => { count(); moveOn(); });
  count();
  // A page that was opened on a session that is ready already stays where it is.
}
