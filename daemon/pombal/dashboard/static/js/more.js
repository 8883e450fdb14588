// Endless lists: what comes next is fetched when its link comes into sight; without this module it is a link.
import { parse, remember } from "./merge.js";
import { PAGE } from "./parts.js";
import { toast } from "./toast.js";

async function follow(link) {
  const part = link.closest("[data-part]");
  const list = part?.querySelector("[data-list]");
  if (!list || link.dataset.busy) return;
  link.dataset.busy = "yes";
  const address = new URL(link.href);
  address.searchParams.set("_part", part.dataset.part);
  let content;
  try {
    const response = await fetch(address, { headers: PAGE });
    if (!response.ok) throw new Error(`${response.status}`);
    content = parse(await response.text());
  } catch {
    delete link.dataset.busy;  // to be pressed again
    toast(document.body.dataset.wordsFailed);
    return;
  }
  const arrivals = [...(content.querySelector("[data-list]")?.children ?? [])].filter(
    (child) => !child.id || !document.getElementById(child.id),
  );
  const isOlder = "older" in link.dataset;
  const fromEnd = part.scrollHeight - part.scrollTop;
  if (isOlder) list.prepend(...arrivals); else list.append(...arrivals);
  remember(part);
  const fresh = content.querySelector("[data-more]");
  if (fresh) link.replaceWith(fresh); else link.closest(".more").remove();
  if (isOlder) part.scrollTop = part.scrollHeight - fromEnd;
  if (fresh) watch(fresh);
}

const sight = new IntersectionObserver((entries) => {
  for (const entry of entries) if (entry.isIntersecting) follow(entry.target);
}, { rootMargin: "300px" });

function watch(link) {
  sight.observe(link);
}

function watchAll() {
  sight.disconnect();
  for (const link of document.querySelectorAll("[data-more]")) watch(link);
}

document.addEventListener("click", (event) => {
  const link = event.target.closest?.("[data-more]");
  if (link?.closest("[data-part]")?.querySelector("[data-list]")) {
    event.preventDefault();
    follow(link);
  }
});
document.addEventListener("part", watchAll);
watchAll();
