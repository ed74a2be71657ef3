// What llama.cpp does with a GGUF file, as one line of JSON: speeds, and the likelihood of a text.
//   node llama_cpp.mjs '{"backend": "cpu", "model": "FILE", "threads": 2, "prefill": 512, "decode": 64}'
// With "text", "window" and "windows" the text is scored, too: windows behind a first token each, the first token of a
// window not scored.
import {readFileSync} from "node:fs";
import {createRequire} from "node:module";
import {pathToFileURL} from "node:url";

const ask = JSON.parse(process.argv[2]);
// The packages lie in a cache folder and not beside this script.
const found = createRequire(`${ask.packages ?? process.cwd()}/`).resolve("node-llama-cpp");
const {getLlama, LlamaLogLevel} = await import(pathToFileURL(found));

const gpu = ask.backend === "cpu" ? false : ask.backend;
const llama = await getLlama({gpu, build: "never", logLevel: LlamaLogLevel.error});
const begun = performance.now();
const model = await llama.loadModel({modelPath: ask.model, gpuLayers: gpu ? "max" : 0});
const contextSize = Math.max(ask.prefill, ask.decode + 64, (ask.window ?? 0) + 1) + 64;
const context = await model.createContext({contextSize, threads: ask.threads, batchSize: 512});
const sequence = context.getSequence();
const loadMs = performance.now() - begun;

const seconds = async (work) => {
  const start = performance.now();
  await work();
  return (performance.now() - start) / 1e3;
};
// The logits of the last token are computed, as for an answer.
const read = (ids) =>
  sequence.controlledEvaluate(ids.map((id, i) => (i + 1 < ids.length ? id : [id, {generateNext: {token: true}}])));

// Any text does: the time does not depend on what it says.
const sentence = "The river has carried wood, salt and letters for as long as anyone remembers. ";
const words = model.tokenize(sentence.repeat(Math.ceil(ask.prefill / 8)));
const prompt = [model.tokens.bos, ...words].slice(0, ask.prefill);
await read(prompt.slice(0, 16));
await sequence.clearHistory();
const prefillS = await seconds(() => read(prompt));
await sequence.clearHistory();

// The first token ends the prompt; those behind it are timed. An end token does not end this.
const start = [model.tokens.bos, ...model.tokenize("The capital of France is")];
let [{next}] = (await read(start)).slice(-1);
const decodeS = await seconds(async () => {
  for (let i = 0; i < ask.decode; i++) [{next}] = await read([next.token]);
});

const result = {
  peer: "llama.cpp",
  release: llama.llamaCppRelease.release,
  backend: ask.backend,
  adapter: gpu ? (await llama.getGpuDeviceNames()).join(", ") : `CPU, ${context.currentThreads} threads`,
  prefill_tokens: prompt.length,
  prefill_tok_s: prompt.length / prefillS,
  decode_tokens: ask.decode,
  decode_tok_s: ask.decode / decodeS,
  load_ms: loadMs,
};
if (ask.text) Object.assign(result, await score());
console.log(JSON.stringify(result));
// Threads of the backend would keep the process.
process.exit(0);

async function score() {
  const ids = model.tokenize(readFileSync(ask.text, "utf8"));
  let nats = 0;
  let tokens = 0;
  for (let w = 0; w < ask.windows && w * ask.window < ids.length; w++) {
    const window = [model.tokens.bos, ...ids.slice(w * ask.window, (w + 1) * ask.window)];
    await sequence.clearHistory();
    // The first token and the last have nothing to foretell that counts.
    const scored = window.map((id, i) => {
      if (i === 0 || i + 1 === window.length) return id;
      // Not includeMax: in 3.22.1 it adds the greatest only where the filter has let it in already.
      const logits = {filter: {tokens: [window[i + 1]], includeTop: 1}};
      return [id, {generateNext: {token: true, logits, totalLogitWeight: true, options: {temperature: 0}}}];
    });
    const outputs = await sequence.controlledEvaluate(scored);
    for (let i = 1; i + 1 < window.length; i++) {
      const {token, logits, totalLogitWeight} = outputs[i].next;
      const most = logits.get(token);
      if (most === undefined || !logits.has(window[i + 1])) throw new Error("llama.cpp gave not the logits asked for");
      nats += Math.log(totalLogitWeight) + most - logits.get(window[i + 1]);
      tokens++;
    }
  }
  return {nats_per_token: nats / tokens, tokens};
}
