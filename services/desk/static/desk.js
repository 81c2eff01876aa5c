// Live: say honestly whether the stream is up; raise a pill for new alerts; put them on top when asked to.
// Without this file the page works by reload. Nothing here turns a string into markup: new alerts come as a document.

const SILENCE_MS = 25_000; // two and a half beats
const RETRIES_MS = [1_000, 2_000, 4_000, 8_000, 16_000, 30_000];
const SPEAK_MS = 10_000; // a screen reader hears of new alerts at most this often
const WORDS = { 1: "archive", 2: "low", 3: "medium", 4: "high", 5: "urgent" };

const by = (id) => document.getElementById(id);
const state = by("state");
const list = by("alerts");
const pill = by("pill");
const waiting = new Map(); // alert id -> severity
const seen = new Set([...list.children].map((alert) => alert.dataset.id));
let lastId = state.dataset.asOf;
let source = null;
let heardAt = Date.now();
let serverTime = state.querySelector("time").dateTime;
let failures = 0;
let retry = null;
let spokenAt = 0;
let stale = false;

const clock = (iso) => `${iso.slice(11, 19)} UTC`;

function show(live, words) {
  state.classList.toggle("live", live);
  state.classList.toggle("lost", !live);
  by("light").textContent = live ? "●" : "○";
  by("link").textContent = words;
}

function heard(event) {
  heardAt = Date.now();
  failures = 0;
  if (event.data) serverTime = JSON.parse(event.data).now ?? serverTime;
  show(true, `live ${clock(serverTime)}`);
}

function lost() {
  show(false, `not live since ${clock(serverTime)}, retrying`);
}

function open() {
  clearTimeout(retry);
  source?.close();
  const url = new URL(state.dataset.stream, location.origin);
  if (lastId) url.searchParams.set("last_event_id", lastId);
  source = new EventSource(url);
  heardAt = Date.now();
  source.addEventListener("hello", heard);
  source.addEventListener("beat", heard);
  source.addEventListener("alert", (event) => {
    heardAt = Date.now();
    lastId = event.lastEventId || lastId;
    arrived(JSON.parse(event.data));
  });
  source.addEventListener("reset", () => {
    stale = true;
    offer();
  });
  source.addEventListener("bye", again);
  source.addEventListener("error", () => {
    lost();
    if (source.readyState === EventSource.CLOSED) again();
  });
}

// The browser gives up for good on an answer that is not 200: come back by ourselves, ever more slowly.
function again() {
  source?.close();
  lost();
  clearTimeout(retry);
  const wait = RETRIES_MS[Math.min(failures++, RETRIES_MS.length - 1)];
  retry = setTimeout(open, wait * (0.8 + 0.4 * Math.random()));
}

function arrived(alert) {
  if (seen.has(alert.id)) return;
  seen.add(alert.id);
  waiting.set(alert.id, alert.severity);
  if (alert.detected_at.slice(0, 10) === serverTime.slice(0, 10)) {
    by("today").textContent = String(Number(by("today").textContent) + 1);
  }
  const at = new Date(alert.detected_at);
  const month = at.toLocaleString("en", { month: "short", timeZone: "UTC" });
  by("last").textContent = `last alert ${at.getUTCDate()} ${month} ${alert.detected_at.slice(11, 16)} UTC`;
  offer();
}

function offer() {
  const count = waiting.size;
  if (!count && !stale) return;
  const top = Math.max(0, ...waiting.values());
  const highest = top ? `, highest ${top} ${WORDS[top]}` : "";
  pill.textContent = stale ? "The list may be incomplete — reload" : `${count} new${highest} — show`;
  pill.hidden = false;
  document.title = count ? `(${count}) Alerts · tumen` : "Alerts · tumen";
  if (Date.now() - spokenAt > SPEAK_MS) {
    spokenAt = Date.now();
    by("said").textContent = stale ? "The list may be incomplete." : `${count} new alerts${highest}`;
  }
}

function fetched() {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("GET", location.pathname + location.search);
    request.responseType = "document";
    request.timeout = 10_000;
    request.onload = () => (request.status === 200 ? resolve(request.responseXML) : reject(request.status));
    request.onerror = request.ontimeout = reject;
    request.send();
  });
}

async function insert() {
  if (stale) return location.reload();
  let fresh;
  try {
    fresh = [...(await fetched()).querySelectorAll("#alerts > article")];
  } catch {
    return lost();
  }
  const known = fresh.findIndex((alert) => by(alert.id));
  if (known < 0 && list.children.length) return location.reload(); // more than a page of them
  const above = fresh.slice(0, known < 0 ? fresh.length : known).map((alert) => document.adoptNode(alert));
  for (const alert of above) {
    alert.classList.add("fresh");
    seen.add(alert.dataset.id);
  }
  list.prepend(...above);
  by("empty")?.remove();
  waiting.clear();
  pill.hidden = true;
  document.title = "Alerts · tumen";
  scrollTo({ top: 0 });
  above[0]?.focus({ preventScroll: true });
}

pill.addEventListener("click", insert);
setInterval(() => {
  if (Date.now() - heardAt > SILENCE_MS) again();
}, 5_000);
addEventListener("online", open);
document.addEventListener("visibilitychange", () => {
  if (!document.hidden && Date.now() - heardAt > SILENCE_MS) open();
});
addEventListener("pagehide", () => source?.close());
addEventListener("pageshow", (event) => event.persisted && open());
open();
