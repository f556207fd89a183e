// Reads a JSON message (a subset of the JSON form of protobuf): UTF-8 only, unique members, no lone surrogates. A large message is
// scanned in slices, and a large batch is created in slices.

import { isUtf8 } from 'node:buffer';
import type { DescMessage } from '@bufbuild/protobuf';
import { batchFieldOf } from '../batch-field.ts';
import { TimeSlices } from '../time-slices.ts';
import { Faults, malformed, misfit, type Place } from './faults.ts';
import { countMembers, readObject } from './json-message.ts';
import { SYNC_BYTES } from './limits.ts';
import { type JsonPart, JsonScan } from './scan-json.ts';

const BYTES_PER_SLICE = 256 * 1024;

/** Reads a message. Throws EctError, or rejects with it. Only a large message returns a promise. */
export function readJson(desc: DescMessage, bytes: Buffer, signal?: AbortSignal): object | Promise<object> {
  if (!isUtf8(bytes)) throw malformed('the message is not UTF-8');
  const slices = new TimeSlices(signal);
  const scan = new JsonScan(bytes, batchFieldOf(desc));
  if (bytes.length > SYNC_BYTES) return readInSlices(desc, scan, slices);
  scan.advance(bytes.length);
  const building = new Building(desc, scan);
  while (building.advance());
  return building.finish();
}

async function readInSlices(desc: DescMessage, scan: JsonScan, slices: TimeSlices): Promise<object> {
  while (!scan.advance(BYTES_PER_SLICE)) if (slices.isOver()) await slices.next();
  await slices.next();
  const building = new Building(desc, scan);
  while (building.advance()) if (slices.isOver()) await slices.next();
  return building.finish();
}

/** Reads a message and the items of its batch, one after another. All faults become one error. */
class Building {
  readonly #desc: DescMessage;
  readonly #scan: JsonScan;
  readonly #faults = new Faults();
  readonly #message: object | undefined;
  readonly #items: object[] = [];
  #next = 0;

  constructor(desc: DescMessage, scan: JsonScan) {
    this.#desc = desc;
    this.#scan = scan;
    this.#message = this.#faults.attempt(() => readPart(desc, scan.message(), undefined));
  }

  /** Reads one more item. Returns whether there are others. */
  advance(): boolean {
    if (this.#next === this.#scan.items || this.#faults.isFull) return false;
    const batch = batchFieldOf(this.#desc)!;
    const index = this.#next++;
    const place = { parent: { parent: undefined, name: batch.name }, name: index };
    const item = this.#faults.attempt(() => readPart(batch.message, this.#scan.item(index), place));
    if (item !== undefined) this.#items.push(item);
    return true;
  }

  finish(): object {
    this.#faults.reject();
    const message = this.#message!;
    if (this.#items.length > 0) (message as Record<string, object>)[batchFieldOf(this.#desc)!.localName] = this.#items;
    return message;
  }
}

function readPart(desc: DescMessage, { text, members }: JsonPart, place: Place | undefined): object {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    // The messages of the parser quote the request.
    throw misfit(place, 'is not valid JSON');
  }
  // `JSON.parse` keeps the last of several members with the same name.
  if (countMembers(value) !== members) throw misfit(place, 'has two members of one name');
  return readObject(desc, value, place);
}
