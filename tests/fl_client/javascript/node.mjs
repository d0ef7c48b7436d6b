// node node.mjs READER ORT RELEASE NAME VECTORS: one JSON object on standard output.
import fs from "node:fs/promises";
import { pathToFileURL } from "node:url";
import { readVectors, tryDamaged } from "./reader.mjs";

const [readerPath, ortPath, release, name, vectorsPath] = process.argv.slice(2);
const reader = await import(pathToFileURL(readerPath));
const ort = (await import(pathToFileURL(ortPath))).default;
const metadata = JSON.parse(await fs.readFile(`${release}/detector.json`, "utf8"));
const content = new Uint8Array(await fs.readFile(`${release}/${name}`));
const vectors = JSON.parse(await fs.readFile(vectorsPath, "utf8"));
const found = await readVectors(reader, ort, metadata, name, content, vectors);
const damaged = await tryDamaged(reader, ort, metadata, name, content);
process.stdout.write(JSON.stringify({ found, damaged }) + "\n");
