// What Node and the browser page do alike: run the reader over the golden vectors and tell what it gave.
export async function readVectors(reader, ort, metadata, name, content, vectors) {
  const detector = await reader.Detector.load(withoutEmptyRows(ort), metadata, name, content);
  const found = [];
  for (const { text } of vectors) {
    const words = reader.splitWords(text);
    const whole = detector.begin();
    await whole.hear(words);
    const listener = detector.begin();
    const growing = [];
    for (let at = 0; at < words.length; at += 7) {
      await listener.hear(words.slice(at, at + 7));
      growing.push(listener.score);
    }
    const ids = words.map((word) => reader.ngramIds(word, metadata.scheme));
    const attention = whole.attention.reduce((a, b) => a + b, 0);
    found.push({ words, ids, score: whole.score, growing, verdict: whole.verdict, attention });
  }
  return found;
}

// Runtimes before 1.17 sum no empty rows.
function withoutEmptyRows({ InferenceSession, Tensor }) {
  return {
    InferenceSession,
    Tensor: class extends Tensor {
      constructor(type, data, dims) {
        if (data.length === 0) throw new Error("a tensor without numbers");
        super(type, data, dims);
      }
    },
  };
}

export async function tryDamaged(reader, ort, metadata, name, content) {
  const edits = {
    opset: (each) => { each.opset = 99; },
    format: (each) => { each.format = "another/1"; },
    buckets: (each) => { each.scheme.buckets -= 1; },
    longest: (each) => { each.scheme.longest += 1; },
    mostPerWord: (each) => { each.scheme.most_per_word -= 1; },
    dimensions: (each) => { each.dimensions += 1; },
    hidden: (each) => { each.hidden = 32; },
    thresholds: (each) => { each.thresholds.suspicious = 0.2; },
    calibration: (each) => { each.calibration.late_slope = null; },
    early: (each) => { each.calibration.early_slope = -1; },
    files: (each) => { delete each.files; },
    file: (each) => { delete each.files[name]; },
  };
  const outcomes = {};
  const attempt = async (kind, changed, bytes) => {
    try {
      await reader.Detector.load(ort, changed, name, bytes);
      outcomes[kind] = "loaded";
    } catch (error) {
      outcomes[kind] = error instanceof reader.ReleaseError ? "refused" : String(error);
    }
  };
  for (const [kind, edit] of Object.entries(edits)) {
    const changed = structuredClone(metadata);
    edit(changed);
    await attempt(kind, changed, content);
  }
  await attempt("cut", metadata, content.slice(0, -7));
  return outcomes;
}
