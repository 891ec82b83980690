// The shopper's page: the photo is shrunk here, a box says what is meant, results come without a reload.
// Without this script the form sends the photo as it is, and the page comes back with the results.

const LONGEST_PX = 1024;
const LARGEST_BYTES = 200_000;
const SMALLEST = 0.06;
const STEP = 0.02;
const PAUSE_MS = 350;
const TAP_PX = 6;

const page = document.getElementById("lens");
const form = document.getElementById("lens-form");
const drop = document.getElementById("lens-drop");
const stage = document.getElementById("lens-stage");
const canvas = document.getElementById("lens-canvas");
const box = document.getElementById("lens-box");
const others = document.getElementById("lens-others");
const again = document.getElementById("lens-again");
const whole = document.getElementById("lens-whole");
const results = document.getElementById("lens-results");
const status = document.getElementById("lens-status");

let photo = null; // what is sent: a Blob
let drawn = null; // [left, top, right, bottom] as fractions, or null for no box
let running = null;
let waiting = 0;

// The photo ----------------------------------------------------------------------------------------------------------

async function take(file) {
  wait();
  for (const input of form.querySelectorAll("input[type=file]")) input.value = "";
  drawn = null;
  photo = await shrunk(file);
  drop.hidden = true;
  again.hidden = false;
  showBox();
  search();
}

// A photo that another app shared: the page came with what it finds, and with the photo itself.
async function receive() {
  const bytes = Uint8Array.from(atob(page.dataset.shared), (letter) => letter.charCodeAt(0));
  photo = await shrunk(new Blob([bytes], { type: "image/webp" }));
  drop.hidden = true;
  again.hidden = false;
  show(results.innerHTML);
}

// A file that the browser cannot show, such as HEIC on a desktop, goes as it is: the server reads more formats.
async function shrunk(file) {
  let picture;
  try {
    picture = await createImageBitmap(file, { imageOrientation: "from-image" });
  } catch {
    stage.hidden = true;
    return file;
  }
  const scale = Math.min(1, LONGEST_PX / Math.max(picture.width, picture.height));
  canvas.width = Math.max(1, Math.round(picture.width * scale));
  canvas.height = Math.max(1, Math.round(picture.height * scale));
  const context = canvas.getContext("2d");
  context.imageSmoothingQuality = "high";
  context.drawImage(picture, 0, 0, canvas.width, canvas.height);
  picture.close();
  stage.hidden = false;
  return packed();
}

async function packed() {
  for (const quality of [0.85, 0.7, 0.5]) {
    const blob = await asJpeg(canvas, quality);
    if (blob.size <= LARGEST_BYTES) return blob;
  }
  return asJpeg(canvas, 0.3);
}

function asJpeg(source, quality) {
  return new Promise((done) => source.toBlob(done, "image/jpeg", quality));
}

// The search ---------------------------------------------------------------------------------------------------------

function searchSoon() {
  clearTimeout(waiting);
  waiting = setTimeout(search, PAUSE_MS);
}

function isAsked() {
  return photo !== null || form.elements.text.value.trim() !== "";
}

async function search() {
  clearTimeout(waiting);
  if (!isAsked()) {
    form.elements.text.focus();
    return;
  }
  const body = new FormData(form);
  body.delete("picture");
  body.delete("photo");
  if (photo) body.set("photo", photo, "photo.jpg");
  if (photo && drawn) body.set("box", drawn.map((value) => value.toFixed(4)).join(","));
  running?.abort();
  const mine = new AbortController();
  running = mine;
  wait();
  try {
    const answer = await fetch(form.action, { method: "POST", body, headers: { "X-Part": "results" }, signal: mine.signal });
    if (answer.headers.get("X-Part") === "results") show(await answer.text());
    else say(answer.status === 403 ? page.dataset.old : page.dataset.failed);
  } catch (error) {
    if (error.name === "AbortError") return;
    say(page.dataset.failed);
  }
}

function wait() {
  results.setAttribute("aria-busy", "true");
  status.textContent = page.dataset.looking;
  const list = document.createElement("ul");
  list.className = "lens-cards";
  list.setAttribute("aria-hidden", "true");
  for (let number = 0; number < 4; number += 1) {
    const one = document.createElement("li");
    one.className = "card lens-card skeleton";
    list.append(one);
  }
  results.replaceChildren(list);
}

function say(text) {
  const line = document.createElement("p");
  line.className = "banner fault";
  line.setAttribute("role", "alert");
  line.textContent = text;
  results.replaceChildren(line);
  results.setAttribute("aria-busy", "false");
  status.textContent = "";
}

function show(html) {
  results.innerHTML = html;
  results.setAttribute("aria-busy", "false");
  others.replaceChildren();
  const found = results.querySelector(".lens-found");
  status.textContent = found?.dataset.said ?? "";
  results.querySelector("[data-clears]")?.addEventListener("click", clear);
  const brands = new Set([...results.querySelectorAll("[data-brand]")].map((one) => one.textContent));
  document.getElementById("lens-brands").replaceChildren(...[...brands].sort().map((name) => new Option(name, name)));
  if (!found || !photo || stage.hidden) return;
  if (!drawn && found.dataset.box) {
    place(box, parse(found.dataset.box));
    box.hidden = false;
    box.classList.add("guess");
  }
  const meant = parse(box.dataset.at);
  for (const text of found.dataset.others.split(";").filter(Boolean)) {
    if (!isAbout(meant, parse(text))) others.append(other(parse(text)));
  }
}

// A crop whose middle lies well within the box shows the same thing.
function isAbout([left, top, right, bottom], at) {
  const x = ((at[0] + at[2]) / 2 - left) / (right - left);
  const y = ((at[1] + at[3]) / 2 - top) / (bottom - top);
  return x > 0.15 && x < 0.85 && y > 0.15 && y < 0.85;
}

function other(at) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "lens-other";
  button.setAttribute("aria-label", page.dataset.other);
  place(button, at);
  button.addEventListener("click", () => {
    drawn = at;
    showBox();
    box.focus({ preventScroll: true });
    search();
  });
  return button;
}

function clear() {
  form.elements.text.value = "";
  for (const field of form.querySelectorAll(".lens-fields input:not([type=hidden]), .lens-fields select")) {
    if (field.type === "checkbox") field.checked = false;
    else if (field.name !== "currency") field.value = "";
  }
  results.focus({ preventScroll: true });
  if (isAsked()) search();
  else results.replaceChildren();
}

// The box ------------------------------------------------------------------------------------------------------------

function parse(text) {
  return text.split(",").map(Number);
}

function place(element, [left, top, right, bottom]) {
  Object.assign(element.style, {
    left: `${left * 100}%`, top: `${top * 100}%`, width: `${(right - left) * 100}%`, height: `${(bottom - top) * 100}%`,
  });
  element.dataset.at = [left, top, right, bottom].join(",");
}

function showBox() {
  box.hidden = whole.hidden = !drawn;
  box.classList.remove("guess");
  if (drawn) place(box, drawn);
}

function announce() {
  const names = ["left", "top", "right", "bottom"];
  const percent = Object.fromEntries(names.map((name, at) => [name, Math.round(drawn[at] * 100)]));
  status.textContent = page.dataset.where.replace(/\{(\w+)\}/g, (_, name) => percent[name]);
}

function begin() {
  drawn ??= parse(box.dataset.at ?? "0.1,0.1,0.9,0.9");
  return [...drawn];
}

function limit(value, low = 0, high = 1) {
  return Math.min(high, Math.max(low, value));
}

function moved([left, top, right, bottom], dx, dy) {
  const x = limit(dx, -left, 1 - right);
  const y = limit(dy, -top, 1 - bottom);
  return [left + x, top + y, right + x, bottom + y];
}

function resized([left, top, right, bottom], handle, dx, dy) {
  if (handle.includes("w")) left = limit(left + dx, 0, right - SMALLEST);
  if (handle.includes("e")) right = limit(right + dx, left + SMALLEST, 1);
  if (handle.includes("n")) top = limit(top + dy, 0, bottom - SMALLEST);
  if (handle.includes("s")) bottom = limit(bottom + dy, top + SMALLEST, 1);
  return [left, top, right, bottom];
}

function follow(event, target, change, end) {
  event.preventDefault();
  target.setPointerCapture(event.pointerId);
  const size = stage.getBoundingClientRect();
  const from = [event.clientX, event.clientY];
  const by = (now) => [(now.clientX - from[0]) / size.width, (now.clientY - from[1]) / size.height];
  const move = (now) => change(...by(now));
  const stop = (now) => {
    target.removeEventListener("pointermove", move);
    target.removeEventListener("pointerup", stop);
    target.removeEventListener("pointercancel", stop);
    end(Math.hypot(now.clientX - from[0], now.clientY - from[1]) < TAP_PX);
  };
  target.addEventListener("pointermove", move);
  target.addEventListener("pointerup", stop);
  target.addEventListener("pointercancel", stop);
}

box?.addEventListener("pointerdown", (event) => {
  if (event.button) return;
  const handle = event.target.dataset.handle;
  (handle ? event.target : box).focus({ preventScroll: true });
  const before = drawn;
  const start = begin();
  const change = (dx, dy) => {
    drawn = handle ? resized(start, handle, dx, dy) : moved(start, dx, dy);
    showBox();
  };
  follow(event, box, change, (tapped) => {
    if (tapped) {
      drawn = before;
      if (drawn) showBox();
    } else search();
  });
});

// Outside the box: a tap brings it there, a mouse draws a new one.
canvas?.addEventListener("pointerdown", (event) => {
  if (event.button || !photo) return;
  const size = canvas.getBoundingClientRect();
  const x = (event.clientX - size.left) / size.width;
  const y = (event.clientY - size.top) / size.height;
  const before = drawn;
  const old = begin();
  const change = (dx, dy) => {
    if (event.pointerType !== "mouse") return;
    const [left, right] = [x, limit(x + dx)].sort((one, two) => one - two);
    const [top, bottom] = [y, limit(y + dy)].sort((one, two) => one - two);
    drawn = [left, top, Math.max(right, left + 0.01), Math.max(bottom, top + 0.01)];
    showBox();
  };
  follow(event, canvas, change, (tapped) => {
    if (tapped) {
      drawn = moved(old, x - (old[0] + old[2]) / 2, y - (old[1] + old[3]) / 2);
    } else if (event.pointerType !== "mouse") {
      drawn = before;
      return;
    } else if (drawn[2] - drawn[0] < SMALLEST || drawn[3] - drawn[1] < SMALLEST) {
      drawn = before;
      showBox();
      return;
    }
    showBox();
    search();
  });
});

box?.addEventListener("keydown", (event) => {
  const step = { ArrowLeft: [-STEP, 0], ArrowRight: [STEP, 0], ArrowUp: [0, -STEP], ArrowDown: [0, STEP] }[event.key];
  if (!step) return;
  event.preventDefault();
  event.stopPropagation();
  const handle = event.target.dataset.handle ?? (event.shiftKey ? "se" : "");
  drawn = handle ? resized(begin(), handle, ...step) : moved(begin(), ...step);
  showBox();
  announce();
  searchSoon();
});

// What starts it -----------------------------------------------------------------------------------------------------

function listen() {
  for (const input of form.querySelectorAll("input[type=file]")) {
    input.addEventListener("change", () => { if (input.files[0]) take(input.files[0]); });
  }
  for (const button of form.querySelectorAll("[data-sample]")) {
    button.addEventListener("click", async (event) => {
      event.preventDefault();
      wait();
      try {
        await take(await (await fetch(button.dataset.sample)).blob());
      } catch {
        say(page.dataset.failed);
      }
    });
  }
  for (const name of ["dragover", "dragenter"]) {
    document.addEventListener(name, (event) => { event.preventDefault(); drop.classList.add("over"); });
  }
  document.addEventListener("dragleave", () => drop.classList.remove("over"));
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    drop.classList.remove("over");
    if (event.dataTransfer.files[0]) take(event.dataTransfer.files[0]);
  });
  document.addEventListener("paste", (event) => {
    const file = [...event.clipboardData.files].find((one) => one.type.startsWith("image/"));
    if (file) take(file);
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    search();
  });
  for (const field of form.querySelectorAll(".lens-fields select, .lens-fields input")) {
    field.addEventListener("change", () => { if (isAsked()) search(); });
  }
  whole.addEventListener("click", () => {
    drawn = null;
    showBox();
    search();
  });
  document.getElementById("lens-new").addEventListener("click", () => {
    photo = drawn = null;
    running?.abort();
    stage.hidden = again.hidden = true;
    drop.hidden = false;
    results.replaceChildren();
    status.textContent = "";
    document.getElementById("lens-camera").focus();
  });
  if (page.dataset.shared) receive();
  const wanted = new URLSearchParams(location.search).get("sample");
  if (wanted) form.querySelector(`[data-sample$="/${CSS.escape(wanted)}"]`)?.click();
}

if (form) listen();
