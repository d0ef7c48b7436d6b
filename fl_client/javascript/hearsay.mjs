// A released detector in JavaScript: the same words, n-gram ids and scores as models/text and models/detector give in
// Python. It runs on onnxruntime-node and onnxruntime-web, which the caller brings along. Text stays where it is: this
// file opens no connection.

const FORMAT = "hearsay-detector/5";
const OPSET = 17;
const STATE = ["h", "c", "attention", "pooled", "bag"];
const NOTHING_HEARD = -1e9;
const EVEN_SCORE = 0.5;
const FEWEST_WORDS = 5;
const EARLY_WORDS = 15;
const LATE_WORDS = 315;
const LARGEST_LOGIT = 30;
const WORDS_AT_ONCE = 256;
const PADDING = 0;

// Python's \w, which knows all alphabets; JavaScript's doesn't. Python's dot stops at a line feed only.
const W = "[\\p{L}\\p{N}_]";
const DE_IDENTIFIED = new RegExp(
  `(?<![A-Za-z])(?:[O○◯]{2,}|[Xx×]{2,})(?![A-Za-z])|&(?:${W}|-)+&|#(?:${W}|-)+#|<[가-힣]{2,5}>`, "gu");
const BETWEEN_DIGITS = "[\\-,.:/~ ]";
const ZEROS_FOR_NAMES = new RegExp(
  `(?<![0-9A-Za-z])(?<![0-9]${BETWEEN_DIGITS})0{2,}(?:${BETWEEN_DIGITS}0{2,})*(?![0-9A-Za-z]|${BETWEEN_DIGITS}[0-9])`, "gu");
const TRANSCRIBER_MARKS = /(?<![A-Za-z])[bnlou]\/|\/|\*|\+|\(\([^\n]*?\)\)/gu;
const NOT_WORD = /[^0-9A-Za-z가-힣ㄱ-ㅎㅏ-ㅣ]+/gu;

/** A release that can't be used: damaged, of another format, or of parts that don't belong together. */
export class ReleaseError extends Error {}

/** The spoken words of a transcript, separated by single spaces: `clean_text` of models/text/clean.py. */
export function cleanText(text) {
  let cleaned = text.normalize("NFC");
  for (const removed of [DE_IDENTIFIED, ZEROS_FOR_NAMES, TRANSCRIBER_MARKS, NOT_WORD]) {
    cleaned = cleaned.replace(removed, " ");
  }
  return cleaned.replace(/ +/g, " ").trim();
}

/** The words (어절) of a transcript, cleaned. */
export function splitWords(text) {
  const cleaned = cleanText(text);
  return cleaned === "" ? [] : cleaned.split(" ");
}

/** fastText's FNV-1a of UTF-8 bytes as an unsigned 32-bit number; bytes above 0x7f are sign-extended, as there. */
export function fasttextHash(bytes) {
  let value = 2166136261;
  for (const byte of bytes) {
    value = Math.imul(value ^ (byte > 0x7f ? byte | 0xffffff00 : byte), 16777619) >>> 0;
  }
  return value;
}

/** The ids (1 to `scheme.buckets`) of a word's n-grams, at most `scheme.most_per_word`. */
export function ngramIds(word, scheme) {
  const letters = [..."<" + word + ">"];
  const encoder = new TextEncoder();
  const ids = [];
  for (let start = 0; start < letters.length; start++) {
    const last = Math.min(start + scheme.longest, letters.length);
    for (let end = start + scheme.shortest; end <= last; end++) {
      if (ids.length === scheme.most_per_word) return ids;
      ids.push((fasttextHash(encoder.encode(letters.slice(start, end).join(""))) % scheme.buckets) + 1);
    }
  }
  return ids;
}

/** "normal", "suspicious" (의심) or "dangerous" (위험); nobody is warned before FEWEST_WORDS were heard. */
export function decide(score, words, thresholds) {
  if (words < FEWEST_WORDS || score < thresholds.suspicious) return "normal";
  return score >= thresholds.dangerous ? "dangerous" : "suspicious";
}

/** A released detector, checked and ready. */
export class Detector {
  #ort;
  #session;

  constructor(ort, session, metadata) {
    this.#ort = ort;
    this.#session = session;
    this.metadata = metadata;
  }

  /**
   * Read a release; nothing of it is used before it is checked.
   * @param ort onnxruntime-node or onnxruntime-web.
   * @param metadata `detector.json`, parsed.
   * @param name The file's name in it: `detector.int8.ort` or `detector.int8.onnx`.
   * @param content The file's bytes (Uint8Array).
   * @throws {ReleaseError} It is damaged, of another format or opset, or its parts don't belong together.
   */
  static async load(ort, metadata, name, content) {
    checkMetadata(metadata);
    await checkContent(metadata.files[name], content);
    let session;
    try {
      session = await ort.InferenceSession.create(content, { intraOpNumThreads: 1, interOpNumThreads: 1 });
    } catch {
      throw new ReleaseError(`ONNX Runtime can't read ${name}`);
    }
    const detector = new Detector(ort, session, metadata);
    await detector.#checkGraph();
    return detector;
  }

  /** A listener for one call. */
  begin() {
    return new Listener(this);
  }

  /** The state of a call in which nothing was said yet. */
  firstState() {
    const { hidden } = this.metadata;
    const sizes = { h: [1, 1, hidden], c: [1, 1, hidden], attention: [1, 1], pooled: [1, 1, hidden], bag: [1, 2] };
    return Object.fromEntries(STATE.map((name) => {
      const values = new Float32Array(sizes[name].reduce((a, b) => a * b));
      return [name, new this.#ort.Tensor("float32", values.fill(name === "attention" ? NOTHING_HEARD : 0), sizes[name])];
    }));
  }

  /**
   * Feed the next words of a call, at least one: its logit, the words' energies, and the next state.
   * @param heard Ids (Set) of the n-grams heard before; those of these words are added to it.
   */
  async run(words, state, heard) {
    const ids = words.map((word) => ngramIds(word, this.metadata.scheme));
    const fresh = [...new Set(ids.flat())].filter((id) => !heard.has(id));
    const found = await this.#feed(ids, fresh.length ? fresh : [PADDING], state); // older runtimes sum no empty rows
    fresh.forEach((id) => heard.add(id));
    return found;
  }

  async #feed(ids, fresh, state) {
    const width = Math.max(...ids.map((each) => each.length));
    const flat = new Int32Array(ids.length * width).fill(PADDING);
    ids.forEach((each, row) => flat.set(each, row * width));
    const found = await this.#session.run({
      ids: new this.#ort.Tensor("int32", flat, [1, ids.length, width]),
      fresh: new this.#ort.Tensor("int32", Int32Array.from(fresh), [1, fresh.length]),
      ...state,
    });
    const next = Object.fromEntries(STATE.map((name) => [name, found[`next_${name}`]]));
    return { logit: found.logit.data[0], energies: found.energies.data, state: next, found };
  }

  async #checkGraph() {
    let found, once, twice;
    try {
      ({ found, state: once } = await this.#feed([[PADDING]], [PADDING], this.firstState()));
      ({ state: twice } = await this.#feed([[PADDING, PADDING]], [PADDING, PADDING], this.firstState()));
    } catch {
      throw new ReleaseError("the graph's inputs or outputs are not those of its metadata");
    }
    const rows = this.metadata.scheme.buckets + 1;
    const sides = [rows, this.metadata.dimensions, rows, rows, 2];
    if ([...found.table_shape.data].map(Number).join() !== sides.join()) {
      throw new ReleaseError("a table is of another size than the metadata says");
    }
    const { buckets, shortest, longest, most_per_word: most } = this.metadata.scheme;
    if ([...found.ngram_scheme.data].map(Number).join() !== [buckets, shortest, longest, most].join()) {
      throw new ReleaseError("the metadata makes other n-grams of words than the graph's table was trained on");
    }
    if (found.zero_if_finite.data[0] !== 0) throw new ReleaseError("the graph holds a number that is not finite");
    if (STATE.some((name) => once[name].data.join() !== twice[name].data.join())) {
      throw new ReleaseError("the padding's row of a table is not zero");
    }
  }
}

/** One call as it grows. Keeps no word: only the detector's state, which n-grams were heard, and a number a word. */
export class Listener {
  #detector;
  #state;
  #heard = new Set();
  #energies = [];
  #logit = null;

  constructor(detector) {
    this.#detector = detector;
    this.#state = detector.firstState();
  }

  /** Take in the words spoken since the last time; none is fine. */
  async hear(words) {
    for (let at = 0; at < words.length; at += WORDS_AT_ONCE) {
      const found = await this.#detector.run(words.slice(at, at + WORDS_AT_ONCE), this.#state, this.#heard);
      this.#state = found.state;
      this.#logit = found.logit;
      this.#energies.push(...found.energies);
    }
  }

  /** The calibrated score (0 to 1) of all that was heard; 0.5 before the first word. */
  get score() {
    if (this.#logit === null) return EVEN_SCORE;
    const { early_slope: early, late_slope: late, offset } = this.#detector.metadata.calibration;
    const slope = early + lateness(this.#energies.length) * (late - early);
    const scaled = slope * this.#logit + offset;
    return 1 / (1 + Math.exp(-Math.min(Math.max(scaled, -LARGEST_LOGIT), LARGEST_LOGIT)));
  }

  /** The verdict on all that was heard. */
  get verdict() {
    return decide(this.score, this.#energies.length, this.#detector.metadata.thresholds);
  }

  /** The share of attention on each word heard so far. */
  get attention() {
    const largest = this.#energies.reduce((a, b) => Math.max(a, b), -Infinity);
    const weights = this.#energies.map((energy) => Math.exp(energy - largest));
    const sum = weights.reduce((a, b) => a + b, 0);
    return weights.map((weight) => weight / sum);
  }
}

/** How far from EARLY_WORDS (0) to LATE_WORDS (1) a call is, on a logarithmic scale. */
function lateness(words) {
  const within = Math.min(Math.max(words, EARLY_WORDS), LATE_WORDS);
  return Math.log(within / EARLY_WORDS) / Math.log(LATE_WORDS / EARLY_WORDS);
}

function checkMetadata(metadata) {
  const { format, opset, scheme, thresholds, calibration, files } = metadata ?? {};
  if (format !== FORMAT || opset !== OPSET) {
    throw new ReleaseError(`expected format ${FORMAT} and opset ${OPSET}, got ${format} and ${opset}; export it anew`);
  }
  const sizes = [metadata.dimensions, metadata.hidden, scheme?.buckets, scheme?.shortest, scheme?.longest,
    scheme?.most_per_word];
  const ordered = thresholds?.suspicious > EVEN_SCORE && thresholds.suspicious <= thresholds.dangerous
    && thresholds.dangerous <= 1;
  const { early_slope: early, late_slope: late, offset } = calibration ?? {};
  const scaling = early > 0 && late > 0 && [early, late, offset].every(Number.isFinite);
  const possible = sizes.every((size) => Number.isInteger(size) && size > 0) && scheme.shortest <= Math.min(scheme.longest, 3);
  if (!possible || !ordered || !scaling || typeof files !== "object") {
    throw new ReleaseError("the metadata lacks a value or holds one that can't be");
  }
}

async function checkContent(facts, content) {
  const digest = new Uint8Array(await globalThis.crypto.subtle.digest("SHA-256", content));
  const found = [...digest].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  if (facts?.bytes !== content.byteLength || facts?.sha256 !== found) {
    throw new ReleaseError("the file is not the one that the metadata describes (size or SHA-256 differs)");
  }
}
