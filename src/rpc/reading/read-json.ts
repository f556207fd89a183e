// Reads a JSON message (the JSON form of protobuf, and less): UTF-8 only, no member twice, no lone surrogates. A large
// message is scanned, and a large batch built, in slices.

import { isUtf8 } from 'node:buffer';
import type { DescMessage } from '@bufbuild/protobuf';
import { batchFieldOf } from '../batch-field.ts';
import { Slices } from '../slices.ts';
import { malformed, misfit, type Place } from './faults.ts';
import { countMembers, readObject } from './json-message.ts';
import { SYNC_BYTES } from './limits.ts';
import { type JsonPart, type JsonParts, JsonScan } from './scan-json.ts';

const CHARACTERS_PER_SLICE = 256 * 1024;

/** Reads a message. Throws, or rejects with, EctError. Only a large message is answered by a promise. */
export function readJson(desc: DescMessage, bytes: Buffer, signal?: AbortSignal): object | Promise<object> {
  if (!isUtf8(bytes)) throw malformed('the message is not UTF-8');
  const slices = new Slices(signal);
  const scan = new JsonScan(bytes.toString('utf8'), batchFieldOf(desc));
  if (bytes.length > SYNC_BYTES) return readInSlices(desc, scan, slices);
  scan.advance(bytes.length);
  const parts = scan.finish();
  const message = readPart(desc, parts.message, undefined);
  for (const index of parts.items.keys()) readItem(desc, message, parts, index);
  return message;
}

async function readInSlices(desc: DescMessage, scan: JsonScan, slices: Slices): Promise<object> {
  while (!scan.advance(CHARACTERS_PER_SLICE)) if (slices.isOver()) await slices.next();
  const parts = scan.finish();
  await slices.next();
  const message = readPart(desc, parts.message, undefined);
  for (const index of parts.items.keys()) {
    if (slices.isOver()) await slices.next();
    readItem(desc, message, parts, index);
  }
  return message;
}

function readItem(desc: DescMessage, message: object, { items }: JsonParts, index: number): void {
  const batch = batchFieldOf(desc)!;
  const place = { parent: { parent: undefined, name: batch.name }, name: index };
  (message as Record<string, object[]>)[batch.localName]!.push(readPart(batch.message, items[index]!, place));
}

function readPart(desc: DescMessage, { text, members }: JsonPart, place: Place | undefined): object {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    // The parser's own words quote the request.
    throw misfit(place, 'is not valid JSON');
  }
  // `JSON.parse` keeps the last of several members of one name.
  if (countMembers(value) !== members) throw misfit(place, 'has two members of one name');
  return readObject(desc, value, place);
}
