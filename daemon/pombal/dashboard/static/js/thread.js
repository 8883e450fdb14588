// What a thread can do beside growing: jump to the message that another one answers, say where there is something new
// below, and say so where a file is not here.
const LOOKED_AT_MS = 1600;
const AT_END_PX = 80;

document.addEventListener("click", (event) => {
  const quote = event.target.closest?.("[data-jump]");
  const target = quote && document.getElementById(quote.dataset.jump);
  if (!target) return;  // not in the page: the link leads to the message's own
  event.preventDefault();
  target.scrollIntoView({ block: "center" });
  target.classList.add("is-looked-at");
  setTimeout(() => target.classList.remove("is-looked-at"), LOOKED_AT_MS);
});

// Whoever has gone back stays there: what comes meanwhile is told, and is a press away.
const thread = document.querySelector('[data-part="thread"]');
const toEnd = document.querySelector("[data-to-end]");

function isAtEnd() {
  return thread.scrollHeight - thread.scrollTop - thread.clientHeight < AT_END_PX;
}

function newest() {
  return thread.querySelector("[data-list]")?.lastElementChild?.id;
}

if (thread) {
  let known = newest();
  thread.addEventListener("part", () => {
    if (newest() !== known && !isAtEnd()) toEnd.hidden = false;
    known = newest();
  });
  let wasAtEnd = isAtEnd();
  thread.addEventListener("scroll", () => {
    wasAtEnd = isAtEnd();
    if (wasAtEnd) toEnd.hidden = true;
  });
  // What appears above it, or grows below it, leaves less room: its end stays in sight.
  new ResizeObserver(() => { if (wasAtEnd) thread.scrollTop = thread.scrollHeight; }).observe(thread);
  toEnd.addEventListener("click", () => {
    thread.scrollTop = thread.scrollHeight;
    thread.focus();
  });
}

function missing(element) {
  const said = document.createElement("p");
  said.className = "unknown";
  said.textContent = element.dataset.missing;
  (element.closest("a.media") ?? element).replaceWith(said);
}

// The errors of files do not bubble; those from before this module ran show as pictures without a size.
document.addEventListener("error", (event) => {
  if (event.target.dataset?.missing) missing(event.target);
}, true);
for (const picture of document.querySelectorAll("img[data-missing]")) {
  if (picture.complete && !picture.naturalWidth) missing(picture);
}

// A picture has no height until it is there: whoever was at the end of the thread stays at its end.
document.addEventListener("load", (event) => {
  const thread = event.target.matches?.("img[data-missing]") && event.target.closest('[data-grow="down"]');
  if (!thread) return;
  const below = thread.scrollHeight - thread.scrollTop - thread.clientHeight;
  if (below < event.target.offsetHeight + AT_END_PX) thread.scrollTop = thread.scrollHeight;
}, true);
