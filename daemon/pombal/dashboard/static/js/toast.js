// Short words at the edge of the page, read aloud by screen readers.
const SHOWN_MS = 6000;
const MOST = 4;

export function toast(text) {
  const place = document.querySelector("[data-toasts]");
  const shown = document.createElement("p");
  shown.className = "toast";
  shown.dir = "auto";
  shown.textContent = text;
  place.append(shown);
  while (place.children.length > MOST) place.firstElementChild.remove();
  setTimeout(() => shown.remove(), SHOWN_MS);
}

export function clearToasts() {
  document.querySelector("[data-toasts]").replaceChildren();
}

for (const flash of document.querySelectorAll("[data-toasts] .toast")) setTimeout(() => flash.remove(), SHOWN_MS);
