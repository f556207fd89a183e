// What the API reference is made from: the descriptors of ect.v1 as `buf build` compiles them, and their comments.

import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import {
  type AnyDesc,
  createFileRegistry,
  type DescEnum,
  type DescFile,
  type DescMessage,
  type DescService,
  fromBinary,
  type Message,
} from '@bufbuild/protobuf';
import { isReflectList, isReflectMessage, nestedTypes, type ReflectMessage, reflect } from '@bufbuild/protobuf/reflect';
import { type FileDescriptorProto, FileDescriptorProtoSchema, FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt';
import { Code } from '@connectrpc/connect';
import { codeName } from '../src/calls/errors.ts';

const PACKAGE = 'ect.v1';
const BUF = join(import.meta.dirname, '../node_modules/.bin/buf');

/** The gRPC codes by name. */
export const CODES: ReadonlySet<string> = new Set(
  Object.values(Code)
    .filter((code) => typeof code === 'number')
    .map(codeName),
);

/** What looks like a name of the API in a comment: `DAG_CYCLE`, `REPLAY_MODE_RECORD`, `GetEntryRequest`, `ErrorInfo`. */
export const NAME = /\b(?:[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+|[A-Z][a-z]{2,}[A-Z][A-Za-z]*)\b/g;

export interface ApiSource {
  readonly services: readonly DescService[];
  readonly messages: readonly DescMessage[];
  readonly enums: readonly DescEnum[];
  /** The comment before an element, in the lines of its author. */
  readonly commentOn: (desc: Exclude<AnyDesc, DescFile>) => string;
}

/** Compiles the protos under a directory. Throws TypeError for comments that are missing or name what does not exist. */
export function readApiSource(directory: string): ApiSource {
  const output = execFileSync(BUF, ['build', directory, '--as-file-descriptor-set', '-o', '-'], { maxBuffer: 2 ** 26 });
  const set = fromBinary(FileDescriptorSetSchema, output);
  const all = [...createFileRegistry(set).files].sort((left, right) => (rankOf(left) < rankOf(right) ? -1 : 1));
  const ours = all.filter((file) => file.proto.package === PACKAGE);
  const comments = new Map(ours.flatMap((file) => commentsOf(file.proto)));
  const types = ours.flatMap((file) => [...nestedTypes(file)]);
  const source = {
    services: types.filter((type) => type.kind === 'service'),
    messages: types.filter((type) => type.kind === 'message'),
    enums: types.filter((type) => type.kind === 'enum'),
    commentOn: (desc: Exclude<AnyDesc, DescFile>) => comments.get(desc.proto) ?? '',
  };
  const mistakes = mistakesIn(source, namesIn(all));
  if (mistakes.length > 0) throw new TypeError(`the comments of ${PACKAGE} are wrong:\n  ${mistakes.join('\n  ')}`);
  return source;
}

/** By name; what is for administrators alone comes last. */
function rankOf({ name }: DescFile): string {
  return name === 'ect/v1/admin' ? `~${name}` : name;
}

function commentsOf(file: FileDescriptorProto): [Message, string][] {
  return (file.sourceCodeInfo?.location ?? []).flatMap(({ path, leadingComments }): [Message, string][] => {
    const element = leadingComments === '' ? undefined : elementAt(file, path);
    return element === undefined ? [] : [[element, leadingComments.replace(/^ /gm, '').trim()]];
  });
}

/** Follows a path of SourceCodeInfo: the number of a list in the descriptor, an index into it, and so on downwards. */
function elementAt(file: FileDescriptorProto, path: readonly number[]): Message | undefined {
  let element: ReflectMessage = reflect(FileDescriptorProtoSchema, file);
  for (let at = 0; at < path.length; at += 2) {
    const field = element.findNumber(path[at] ?? 0);
    const list = field && element.get(field);
    const next = isReflectList(list) ? list.get(path[at + 1] ?? -1) : undefined;
    if (!isReflectMessage(next)) return undefined;
    element = next;
  }
  return element.message;
}

/** Every element that must have a comment. */
function elementsOf({ services, messages, enums }: ApiSource): Exclude<AnyDesc, DescFile>[] {
  return [
    ...services.flatMap((service) => [service, ...service.methods]),
    ...messages.flatMap((message) => [message, ...message.members]),
    ...enums.flatMap((enumeration) => [enumeration, ...enumeration.values]),
  ];
}

/** Every name that a comment may use: types and methods of all files, enum values with and without prefix, codes. */
function namesIn(files: readonly DescFile[]): ReadonlySet<string> {
  const names = files.flatMap((file) => [...nestedTypes(file)]).flatMap((type) => [type.name, ...memberNames(type)]);
  return new Set([...names, ...CODES]);
}

function memberNames(type: AnyDesc): readonly string[] {
  if (type.kind === 'service') return type.methods.map(({ name }) => name);
  if (type.kind === 'enum') return type.values.flatMap(({ name }) => [name, shortName(name, type)]);
  return [];
}

/** The name of an enum value without the prefix of its enum: `DAG_CYCLE`. */
export function shortName(name: string, { sharedPrefix = '' }: DescEnum): string {
  return name.slice(sharedPrefix.length);
}

function mistakesIn(source: ApiSource, names: ReadonlySet<string>): string[] {
  return elementsOf(source).flatMap((element) => {
    const comment = source.commentOn(element);
    if (comment === '') return [`${element.toString()} has no comment`];
    const unknown = (comment.match(NAME) ?? []).filter((name) => !names.has(name));
    return unknown.map((name) => `${element.toString()}: there is no ${name}`);
  });
}
