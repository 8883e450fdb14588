// What brings a page to life. Every page reads, and every form works, without it.
import "./zone.js";
import "./toast.js";
import "./parts.js";
import "./forms.js";
import "./filter.js";
import "./more.js";
import "./countdown.js";
import "./composer.js";
import "./menu.js";
import "./thread.js";
import "./retry.js";
import "./socket.js";

document.documentElement.classList.add("scripted");
