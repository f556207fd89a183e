// A separate program that compares what was acknowledged with a database. It uses none of the service's code.
//
//     node examine-ledger-child.ts FILE
//
// FILE is JSON with `database` (the connection options), `verifierKey` of the ledger, `indexes` (pairs of name and index) and
// `checkpoints`. Prints the faults as JSON.

import { readFileSync } from 'node:fs';
import { Client, type ClientConfig } from 'pg';
import { examineLedger } from './recorded-ledger.ts';

interface Asked {
  readonly database: ClientConfig;
  readonly verifierKey: string;
  readonly indexes: readonly (readonly [name: string, index: number])[];
  readonly checkpoints: readonly string[];
}

const asked = JSON.parse(readFileSync(process.argv[2] ?? '', 'utf8')) as Asked;
const client = new Client(asked.database);
await client.connect();
const sql = async (text: string) => (await client.query<Readonly<Record<string, unknown>>>(text)).rows;
const faults = await examineLedger(sql, asked.verifierKey, {
  indexes: new Map(asked.indexes),
  checkpoints: new Set(asked.checkpoints),
});
await client.end();
console.log(JSON.stringify(faults));
