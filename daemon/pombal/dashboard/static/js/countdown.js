// Seconds until a code changes, and on to the next page once a phone has been linked.
const MOVE_ON_MS = 1200;

// From how much was left when the daemon answered: this machine's clock may be wrong.
function untilMs(place) {
  place.endsAtMs ??= performance.now() + Number(place.dataset.countdown);
  return Math.max(0, place.endsAtMs - performance.now());
}

function shown(seconds) {
  return seconds < 60 ? `${seconds} s` : `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
}

function count() {
  for (const place of document.querySelectorAll("[data-countdown]")) {
    place.textContent = shown(Math.ceil(untilMs(place) / 1000));
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
