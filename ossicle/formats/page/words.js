// Text to words, and edited text back to words that keep their times. Knows nothing of the document.

const SPACE = 0, EXTEND = 1, OPEN = 2, CLOSE = 3, UNSPACED = 4, TRAILER = 5, SPACED = 6;
const JOINERS = /[\u0e40-\u0e44\u0ec0-\u0ec4\u17d2\u1039\u200d\u2060]/u;
const TRAILERS = new RegExp("[ぁぃぅぇぉっゃゅょゎゕゖァィゥェォッャュョヮヵヶㇰ-ㇿｧ-ｯｰﾞﾟーゝゞヽヾ々〻" +
  "\u0e2f\u0e30\u0e32\u0e33\u0e45\u0e46\u0eaf\u0eb0\u0eb2\u0eb3\u0ec6]", "u");
const NO_SPACES = /[\p{sc=Han}\p{sc=Hira}\p{sc=Kana}\p{sc=Bopo}\p{sc=Thai}\p{sc=Laoo}\p{sc=Khmr}\p{sc=Mymr}\u3005-\u3007\u30fc\uff70]/u;
const WIDE = /[\u3000-\u303f\uff01-\uff60]/u;
const MAX_CELLS = 4e6;                  // of the table that compares two texts: 2000 words on either side

function kindOf(char) {
  if (char === "\u200b" || (/\s/u.test(char) && !/[\u00a0\u2007\u202f\ufeff]/u.test(char))) return SPACE;
  if (/[\p{M}\p{Cf}\p{Cc}\u00a0\u2007\u202f\ufeff]/u.test(char)) return EXTEND;
  if (/[\p{Ps}\p{Pi}¿¡]/u.test(char)) return OPEN;
  if (/\p{P}/u.test(char) && !/[&%‰@#§＆％＠＃]/u.test(char)) return CLOSE;
  if (TRAILERS.test(char)) return TRAILER;
  return NO_SPACES.test(char) && !/[\p{Nd}\p{Sc}]/u.test(char) ? UNSPACED : SPACED;
}

// Words with the space before each, as ossicle/text/words.py parts them; joined, they give `text` back.
function splitWords(text) {
  const chars = [...text], kinds = kindsOf(chars), words = [];
  let word = "", base = null, isSpoken = false;
  chars.forEach((char, i) => {
    if (i && beginsWord(chars, kinds, i, base, isSpoken)) {
      words.push(word);
      [word, isSpoken] = ["", false];
    }
    if (kinds[i] >= UNSPACED) [base, isSpoken] = [kinds[i], true];
    else if (kinds[i] === SPACE) base = null;
    word += char;
  });
  return word ? attachUnspoken([...words, word]) : [];
}

function kindsOf(chars) {
  const kinds = chars.map(kindOf);
  const after = (i) => (i + 1 < kinds.length ? kinds[i + 1] : SPACE);
  let numQuotes = 0;
  for (let i = kinds.length - 1; i >= 0; i--) {         // German closes with the mark that English opens with
    if (kinds[i] === OPEN && [SPACE, CLOSE, EXTEND].includes(after(i))) kinds[i] = CLOSE;
  }
  chars.forEach((char, i) => {
    if (char !== '"') return;
    const leads = i === 0 || kinds[i - 1] === SPACE || kinds[i - 1] === OPEN;
    if (![SPACE, CLOSE, EXTEND].includes(after(i)) && (leads || numQuotes % 2 === 0)) kinds[i] = OPEN;
    numQuotes += 1;
  });
  return kinds;
}

function beginsWord(chars, kinds, i, base, isSpoken) {
  const kind = kinds[i], previous = kinds[i - 1];
  if (kind === SPACE) return previous !== SPACE;
  if (previous === SPACE || !isSpoken || JOINERS.test(chars[i - 1])) return false;
  if (kind === UNSPACED) return previous !== OPEN;
  if (kind === OPEN) {
    if (previous === OPEN || base !== SPACED) return previous !== OPEN;
    return kinds.slice(i).find((next) => next !== OPEN) === UNSPACED;
  }
  if (kind !== SPACED || previous === OPEN) return false;
  return base !== SPACED || (previous === CLOSE && (/[—―…⋯]/u.test(chars[i - 1]) || WIDE.test(chars[i - 1])));
}

function attachUnspoken(pieces) {
  const words = [];
  let held = "";
  for (const fresh of pieces) {
    const piece = held + fresh, last = [...piece].at(-1);
    held = "";
    if ([...piece].some((char) => kindOf(char) >= UNSPACED)) words.push(piece);
    else if (words.length && kindOf(last) !== OPEN) words[words.length - 1] += piece;
    else held = piece;
  }
  if (held && words.length) words[words.length - 1] += held;
  else if (held) words.push(held);
  return words;
}

// The words of an edited text. Those that still stand there are the old ones, with all they know; what was written by hand
// takes the place, and the time, of what it replaces.
function mergeWords(old, text) {
  const atoms = old.flatMap((word, owner) => splitWords(word.text).map((atom) => ({ atom, owner })));
  const fresh = splitWords(text);
  const partner = matchTexts(atoms.map(({ atom }) => atom), fresh);
  const merged = [];
  let nextOld = 0, nextFresh = 0, atom = 0;
  const replace = (oldEnd, freshEnd) => {
    merged.push(...replaceRun(old.slice(nextOld, oldEnd), fresh.slice(nextFresh, freshEnd).join(""), merged.at(-1), old[oldEnd]));
  };
  old.forEach((word, index) => {
    const begin = atom;
    while (atom < atoms.length && atoms[atom].owner === index) atom += 1;
    const isKept = atom > begin && partner[begin] >= 0 && partner[atom - 1] - partner[begin] === atom - 1 - begin;
    if (!isKept) return;
    replace(index, partner[begin]);
    merged.push(word);
    [nextOld, nextFresh] = [index + 1, partner[atom - 1] + 1];
  });
  replace(old.length, fresh.length);
  return merged;
}

// For each left text the place of its equal on the right, or -1: a longest common subsequence.
function matchTexts(left, right) {
  const partner = new Int32Array(left.length).fill(-1);
  let begin = 0, end = left.length, rightEnd = right.length;
  while (begin < end && begin < rightEnd && left[begin] === right[begin]) partner[begin] = begin++;
  while (end > begin && rightEnd > begin && left[end - 1] === right[rightEnd - 1]) partner[--end] = --rightEnd;
  const width = rightEnd - begin + 1, height = end - begin + 1;
  if (width * height > MAX_CELLS) return partner;
  const lengths = new Uint16Array(width * height);
  for (let i = height - 2; i >= 0; i--) {
    for (let j = width - 2; j >= 0; j--) {
      lengths[i * width + j] = left[begin + i] === right[begin + j]
        ? lengths[(i + 1) * width + j + 1] + 1
        : Math.max(lengths[(i + 1) * width + j], lengths[i * width + j + 1]);
    }
  }
  for (let i = 0, j = 0; i < height - 1 && j < width - 1;) {
    if (left[begin + i] === right[begin + j]) partner[begin + i++] = begin + j++;
    else if (lengths[(i + 1) * width + j] >= lengths[i * width + j + 1]) i += 1;
    else j += 1;
  }
  return partner;
}

// What stands for the run of words `old` now that it reads `text`. Words that were glued to their neighbour (Korean morphemes)
// are finer than a text can be split, so they are looked for at both ends.
function replaceRun(old, text, previous, next) {
  const head = [], tail = [];
  const isSpaced = (rest) => /^\s/u.test(rest);
  while (old.length && text.startsWith(old[0].text)) {
    const rest = text.slice(old[0].text.length), wasGlued = old.length > 1 && !isSpaced(old[1].text);
    if (rest && !isSpaced(rest) && !wasGlued) break;
    head.push(old[0]);
    [text, old] = [rest, old.slice(1)];
  }
  while (old.length && text.endsWith(old.at(-1).text) && (isSpaced(old.at(-1).text) || old.length > 1)) {
    tail.unshift(old.at(-1));
    [text, old] = [text.slice(0, text.length - tail[0].text.length), old.slice(0, -1)];
  }
  const texts = splitWords(text), model = old[0] ?? head.at(-1) ?? previous ?? tail[0] ?? next;
  const known = { confidence: null, speaker: model?.speaker ?? null, segment: model?.segment ?? 0, isNew: true };
  const written = old.length === texts.length
    ? old.map(({ start, end, timing }, i) => ({ text: texts[i], start, end, timing, ...known }))
    : spreadWords(texts, old.length ? old[0].start : (head.at(-1) ?? previous)?.end, old.length ? old.at(-1).end : (tail[0] ?? next)?.start)
      .map((word) => ({ ...word, ...known }));
  return [...head, ...written, ...tail];
}

function spreadWords(texts, start, end) {
  if (start == null || end == null) return texts.map((text) => ({ text, start: null, end: null, timing: null }));
  const total = texts.reduce((sum, text) => sum + weightOf(text), 0), room = Math.max(0, end - start);
  let before = 0;
  return texts.map((text) => {
    const from = start + (room * before) / total;
    before += weightOf(text);
    return { text, start: round(from), end: round(start + (room * before) / total), timing: "interpolated" };
  });
}

const weightOf = (text) => text.trim().length || 1;
const round = (seconds) => Math.round(seconds * 1000) / 1000;
