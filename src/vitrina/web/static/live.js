// One camera as it is now, five times a second: dots in a drawing, or boxes on the real picture.
// It asks again only when the last answer is there, and not at all while nobody looks at the page.

const EVERY_MS = 200;
const PATIENCE_MS = 4000;

const view = document.querySelector("[data-watch]");
const notice = view?.querySelector("[data-notice]");
const count = view?.querySelector("[data-count]");
const canvas = view?.querySelector("canvas");
const drawing = view?.querySelector("svg.plan");

// As wide as fits the window in height: the style sheet cannot know the picture's shape.
function shape(element, width, height) {
  element.style.setProperty("--ratio", width / height);
}

function say(text) {
  if (notice.textContent !== text) notice.textContent = text;
  notice.hidden = !text;
  view.classList.toggle("lost", Boolean(text) && !count.textContent);
}

function tell(told) {
  if (count.textContent !== told.count) count.textContent = told.count;
  say(told.notice);
}

// Dots: an empty layer over the server's drawing; its circles are used again.

const SVG = "http://www.w3.org/2000/svg";
const dots = document.createElementNS(SVG, "g");
dots.setAttribute("class", "people");
if (drawing) {
  drawing.append(dots);
  shape(drawing, drawing.viewBox.baseVal.width, drawing.viewBox.baseVal.height);
}

function drawDots(points) {
  const radius = drawing.viewBox.baseVal.width / 90;
  while (dots.childElementCount > points.length) dots.lastChild.remove();
  while (dots.childElementCount < points.length) dots.append(document.createElementNS(SVG, "circle"));
  points.forEach(([x, y], index) => {
    const dot = dots.children[index];
    dot.setAttribute("cx", x);
    dot.setAttribute("cy", y);
    dot.setAttribute("r", radius);
  });
}

async function showDots(signal) {
  const answer = await fetch(`${view.dataset.watch}/people`, { headers: { Accept: "application/json" }, signal });
  if (!answer.ok) return refused(answer);
  const told = await answer.json();
  drawDots(told[view.dataset.on]);
  tell(told);
}

// Boxes: the picture and who is on it come in one answer, so they always fit together.

async function showBoxes(signal) {
  const answer = await fetch(`${view.dataset.watch}/newest.jpg`, { signal });
  if (!answer.ok) return refused(answer);
  const told = JSON.parse(answer.headers.get("Vitrina-Seen"));
  const picture = answer.status === 200 ? await createImageBitmap(await answer.blob()) : null;
  drawBoxes(picture, told);
  tell(told);
}

function drawBoxes(picture, told) {
  const pen = canvas.getContext("2d");
  if (!picture) {
    pen.clearRect(0, 0, canvas.width, canvas.height);
    return;
  }
  if (canvas.width !== picture.width || canvas.height !== picture.height) {
    canvas.width = picture.width;
    canvas.height = picture.height;
    shape(canvas, picture.width, picture.height);
  }
  pen.drawImage(picture, 0, 0);
  picture.close();
  const scale = canvas.width / told.size_wh[0];
  pen.lineWidth = Math.max(2, canvas.width / 320);
  pen.strokeStyle = "#54c6b8";
  for (const [x1, y1, x2, y2] of told.boxes) {
    pen.strokeRect(x1 * scale, y1 * scale, (x2 - x1) * scale, (y2 - y1) * scale);
  }
}

function forget() {
  count.textContent = "";
  if (canvas) canvas.getContext("2d").clearRect(0, 0, canvas.width, canvas.height);
  else drawDots([]);
}

function refused(answer) {
  // The session or the time to look is over: the page itself says what to do next.
  if ([401, 403, 404].includes(answer.status)) location.reload();
  throw new Error(`answered ${answer.status}`);
}

async function watch() {
  const began = performance.now();
  if (!document.hidden) {
    try {
      await (canvas ? showBoxes : showDots)(AbortSignal.timeout(PATIENCE_MS));
      if (document.hidden) forget();
    } catch {
      forget();
      say(view.dataset.away);
    }
  }
  setTimeout(watch, Math.max(20, EVERY_MS - (performance.now() - began)));
}

document.addEventListener("visibilitychange", () => { if (view && document.hidden) forget(); });
if (view) watch();
