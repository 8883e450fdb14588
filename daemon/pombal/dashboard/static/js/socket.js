// The daemon's own WebSocket: events in order, from where the page was made, over every interruption.
import { toTheDoor } from "./door.js";
import { parts } from "./parts.js";
import { toast } from "./toast.js";

const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 15_000;
const BATCH = 200;

const words = document.body.dataset;
const state = document.querySelector("[data-live-state]");
let seq = Number(words.seq);
let log = words.log;
let pauseMs = FIRST_PAUSE_MS;
let wasLost = false;

function address() {
  const url = new URL("/ws/whatsapp/", location.href);
  url.protocol = url.protocol.replace("http", "ws");
  url.searchParams.set("after", seq);
  url.searchParams.set("log_id", log);
  url.searchParams.set("batch", BATCH);
  if (words.session) url.searchParams.set("session", words.session);
  if (words.types) url.searchParams.set("types", words.types);
  return url;
}

function hear(event) {
  if (typeof event.seq === "number") seq = Math.max(seq, event.seq);
  if (event.type === "gap") {
    for (const part of parts) if (part.topics.length) part.refresh();
    return;
  }
  for (const part of parts) if (part.concerns(event)) part.hear(event);
}

function receive(frame) {
  if (frame.type === "hello") {
    // Another log (the store was restored): its numbers are others, and the gap that follows has everything fetched.
    if (frame.log_id !== log) { log = frame.log_id; seq = frame.last_seq; }
    opened();
  } else if (frame.type === "events") {
    for (const event of frame.events) hear(event);
  } else {
    hear(frame);
  }
}

function opened() {
  pauseMs = FIRST_PAUSE_MS;
  document.documentElement.dataset.live = "on";
  if (!wasLost) return;
  wasLost = false;
  state.textContent = "";
  toast(words.wordsBack);
  // What events cannot tell (an uptime, a queue) is fetched as well.
  for (const part of parts) if (part.topics.length || part.isTimed) part.refresh();
}

function connect() {
  const socket = new WebSocket(address());
  socket.onmessage = (message) => receive(JSON.parse(message.data));
  socket.onclose = (close) => {
    document.documentElement.dataset.live = "off";
    if (close.code === 4401 || close.code === 1008) { toTheDoor(); return; }
    wasLost = true;
    state.textContent = words.wordsLost;
    setTimeout(connect, pauseMs * (0.5 + Math.random() / 2));
    pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS);
  };
  addEventListener("pagehide", () => socket.close(), { once: true });
}

// A page that shows nothing live has a form at least: whether the daemon is there is worth knowing before it is sent.
if (words.log) connect();
