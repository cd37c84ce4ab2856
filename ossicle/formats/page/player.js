// Plays the recording, moves the highlight with it, draws the band. Without a recording the page stays a text to read.

const STEP_SECONDS = 5;
const FAR_STEP_SECONDS = 10;
const SPEEDS = [0.5, 0.6, 0.7, 0.8, 0.9, 1, 1.1, 1.25, 1.5, 1.75, 2, 2.5, 3];
const HOLD_SECONDS = 0.4;               // a spoken word stays lit through a pause of this length
const LETTERS_AT_ONCE = 1 << 20;        // of base 64, a multiple of four

const sound = byId("media");
const player = { order: [], starts: new Float64Array(0), word: null, isFollowing: true, begin: media.begin, name: media.name, at: 0 };

function openMedia() {
  const carried = byId("sound-data").textContent.trim();
  if (carried) openCarried(carried);
  else if (media.address) sound.src = media.address;
  else offerChoice(media.name ? `${media.name} is not part of this page.` : "This page has no recording.");
}

// The recording inside the page, as a file in memory: browsers seek in those, not in long addresses.
function openCarried(letters) {
  const pieces = [];
  for (let i = 0; i < letters.length; i += LETTERS_AT_ONCE) {
    pieces.push(Uint8Array.from(atob(letters.slice(i, i + LETTERS_AT_ONCE)), (letter) => letter.charCodeAt(0)));
  }
  sound.src = URL.createObjectURL(new Blob(pieces, { type: media.mime }));
}

function openFile(file) {
  player.begin = 0;
  player.name = file.name;
  if (sound.src.startsWith("blob:")) URL.revokeObjectURL(sound.src);
  sound.src = URL.createObjectURL(file);
}

function offerChoice(why) {
  byId("silent-why").textContent = why;
  byId("silent").hidden = false;
  byId("player").classList.add("mute");
}

function onMediaError() {
  if (!sound.getAttribute("src")) return;
  const isFormat = sound.error?.code === MediaError.MEDIA_ERR_DECODE;
  offerChoice(isFormat ? `This browser cannot play ${player.name}.`
    : `${player.name} is not where this page expects it, or this browser cannot play it.`);
}

function onMediaReady() {
  byId("silent").hidden = true;
  byId("player").classList.remove("mute");
  sound.hidden = !sound.videoWidth;
  app.classList.toggle("filmed", !sound.hidden);
  sound.playbackRate = Number(byId("speed").value);
  byId("position").max = wholeLength();
  byId("length").textContent = clock(wholeLength());
  const wanted = Number(new URLSearchParams(location.hash.slice(1)).get("t"));
  if (player.at || wanted) seek(player.at || wanted);
  drawBand();
}

const hasSound = () => sound.readyState >= HTMLMediaElement.HAVE_METADATA && !sound.error;
const wholeLength = () => (hasSound() && Number.isFinite(sound.duration) ? player.begin + sound.duration : lastSecond);

function seek(seconds, isToPlay = false) {
  player.at = Math.min(Math.max(0, seconds), wholeLength());
  if (hasSound()) {
    sound.currentTime = Math.max(0, player.at - player.begin);
    if (isToPlay) play();
  } else if (isToPlay && byId("silent").hidden === false) tell("There is no recording to play; choose it below");
  showTime();
}

function play() {
  sound.play().catch((error) => { if (error.name !== "AbortError") tell(`The recording cannot be played: ${error.message}`); });
}

function toggle() {
  if (!hasSound()) tell("There is no recording to play; choose it below");
  else if (sound.paused) play();
  else sound.pause();
}

function changeSpeed(step) {
  const select = byId("speed");
  select.selectedIndex = Math.min(Math.max(0, select.selectedIndex + step), SPEEDS.length - 1);
  sound.playbackRate = Number(select.value);
  tell(`Speed ${select.value}`);
}

function follow(isOn) {
  player.isFollowing = isOn;
  byId("follow").setAttribute("aria-pressed", isOn);
  if (isOn) bringIntoSight(player.word);
}

function onFrame() {
  if (sound.paused) return;
  player.at = player.begin + sound.currentTime;
  showTime();
  requestAnimationFrame(onFrame);
}

function showTime() {
  const text = clock(player.at);
  if (byId("at").textContent !== text) {
    byId("at").textContent = text;
    byId("position").setAttribute("aria-valuetext", `${text} of ${clock(wholeLength())}`);
  }
  byId("position").value = player.at;
  const word = wordAt(player.at);
  if (word === player.word) return;
  player.word?.element?.classList.remove("now");
  word?.element?.classList.add("now");
  player.word = word;
  if (player.isFollowing && !sound.paused) bringIntoSight(word);
}

// The word that is heard at a time, or null in a pause. Words of speakers who overlap are looked through by their begin.
function wordAt(seconds) {
  let low = 0, high = player.starts.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (player.starts[middle] <= seconds + 0.001) low = middle + 1;
    else high = middle;
  }
  const word = player.order[low - 1];
  return word && seconds < word.to + HOLD_SECONDS ? word : null;
}

function orderWords() {
  player.order = [...state.words].sort((one, other) => one.from - other.from);
  player.starts = Float64Array.from(player.order, (word) => word.from);
}

function bringIntoSight(word) {
  if (!word?.element?.isConnected) return;
  const { top, bottom } = word.element.getBoundingClientRect();
  const upper = innerHeight * 0.14 + 40, lower = innerHeight - byId("player").offsetHeight - innerHeight * 0.16;
  if (top >= upper && bottom <= lower) return;
  scrollBy({ top: top - innerHeight * 0.34, behavior: isCalm() || Math.abs(top) > innerHeight * 2 ? "auto" : "smooth" });
}

const isCalm = () => matchMedia("(prefers-reduced-motion: reduce)").matches;

// Once before the next picture, however often it is asked for.
function drawBand() {
  cancelAnimationFrame(player.drawing);
  player.drawing = requestAnimationFrame(drawBandNow);
}

// Who speaks where, what is missing, where the search hits are: the recording at a glance.
function drawBandNow() {
  const canvas = byId("band"), scale = devicePixelRatio || 1, whole = wholeLength() || 1;
  const width = canvas.width = Math.round(canvas.clientWidth * scale), height = canvas.height = Math.round(canvas.clientHeight * scale);
  const style = getComputedStyle(document.documentElement), colour = (name) => style.getPropertyValue(name).trim();
  const pen = canvas.getContext("2d"), x = (seconds) => (seconds / whole) * width;
  const bar = (from, to, top = 0, tall = height) => pen.fillRect(x(from), top, Math.max(scale, x(to) - x(from)), tall);
  pen.fillStyle = colour("--line");
  pen.fillRect(0, 0, width, height);
  const names = speakerNames();
  for (const { words } of paragraphs) {
    if (!words.length) continue;
    const speaker = speakerOf(words[0]);
    pen.fillStyle = colour(speaker === null ? "--accent" : `--who-${names.indexOf(nameOf(speaker)) % NUM_COLOURS}`);
    pen.globalAlpha = 0.55;
    bar(words[0].from, words.at(-1).to);
  }
  pen.globalAlpha = 1;
  for (const gap of gaps) {
    pen.fillStyle = colour("--grave-ground");
    bar(gap.start, gap.end);
    pen.fillStyle = colour("--grave");
    for (let at = x(gap.start); at < x(gap.end); at += 5 * scale) pen.fillRect(at, 0, 2 * scale, height);
  }
  pen.fillStyle = colour("--hit-now");
  for (const seconds of search.times) pen.fillRect(x(seconds), 0, 2 * scale, height);
}

function listenToMedia() {
  byId("speed").replaceChildren(...SPEEDS.map((speed) => element("option", { value: speed, selected: speed === 1 }, `${speed}×`)));
  byId("length").textContent = clock(lastSecond);
  byId("position").max = lastSecond;
  sound.addEventListener("loadedmetadata", onMediaReady);
  sound.addEventListener("error", onMediaError);
  sound.addEventListener("play", () => {
    byId("player").classList.add("playing");
    byId("play").setAttribute("aria-label", "Pause");
    requestAnimationFrame(onFrame);
  });
  for (const event of ["pause", "ended"]) {
    sound.addEventListener(event, () => {
      byId("player").classList.remove("playing");
      byId("play").setAttribute("aria-label", "Play");
    });
  }
  sound.addEventListener("seeked", () => { player.at = player.begin + sound.currentTime; showTime(); });
  sound.addEventListener("click", toggle);
  byId("play").addEventListener("click", toggle);
  byId("back").addEventListener("click", () => seek(player.at - STEP_SECONDS));
  byId("forward").addEventListener("click", () => seek(player.at + STEP_SECONDS));
  byId("follow").addEventListener("click", () => follow(!player.isFollowing));
  byId("speed").addEventListener("change", () => { sound.playbackRate = Number(byId("speed").value); });
  byId("position").addEventListener("input", () => seek(Number(byId("position").value)));
  byId("choose").addEventListener("click", () => byId("file").click());
  byId("file").addEventListener("change", () => { if (byId("file").files[0]) openFile(byId("file").files[0]); });
  for (const event of ["wheel", "touchmove"]) {           // whoever scrolls wants to read elsewhere
    addEventListener(event, () => { if (!sound.paused && player.isFollowing) follow(false); }, { passive: true });
  }
  addEventListener("resize", drawBand);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawBand);
  orderWords();
  openMedia();
}
