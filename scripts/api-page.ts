// Lays the API reference out as one Markdown page, with links inside the page and none out of it.

import {
  type DescEnum,
  type DescEnumValue,
  type DescField,
  type DescMessage,
  type DescMethod,
  type DescService,
  ScalarType,
} from '@bufbuild/protobuf';
import { MethodOptions_IdempotencyLevel } from '@bufbuild/protobuf/wkt';
import { failureOf } from '../src/calls/failures.ts';
import type { ErrorReason } from '../src/errors.ts';
import { ANSWERS } from './api-answers.ts';
import { EXAMPLES, PREPARATION } from './api-examples.ts';
import { CALLERS, METHODS, OF_EVERY_CALL, OF_PROOFS, OF_PROVEN_CALLERS } from './api-methods.ts';
import { type ApiSource, CODES, NAME, shortName } from './api-source.ts';

const INTRODUCTION = `\
<!-- Made from the comments of proto/ect/v1 by scripts/write-api.ts. Change them, not this page. -->

# API reference

Package \`ect.v1\`. Each method is a POST to its path, over gRPC, gRPC-Web and Connect. One without side effects also
answers GET over Connect.

JSON over Connect writes field names in lowerCamelCase (\`execAct\`) and reads them as they stand here too. It has 64-bit
integers as strings and bytes as base64. Answers write out fields that have their default value, which protobuf JSON may
leave out: \`"valid": false\`, \`"leafIndex": "0"\` and \`"violations": []\` are there to be read. Absent are only messages,
\`optional\` fields and members of a oneof that are not set. The command line's \`--json\` writes the same. In a request a field
that is left out has its default value.

A Timestamp of a request is a time from 0001-01-01 to 9999-12-31, with \`nanos\` from 0 to 999,999,999; a Duration has at most 315,576,000,000
seconds and the same nanos. Anything else is REQUEST_INVALID. A time of which the service keeps whole seconds is rounded down (\`as_of\`,
\`compromised_since\`), so it counts as from the beginning of its second; \`recorded_from\` and \`recorded_before\` are compared exactly.

The examples below follow one another. Tokens and other long values in their answers are cut (\`…\`), and so are
lists after three elements. They need \`curl\`, and begin with this:

\`\`\`sh
${PREPARATION}
\`\`\`

**Errors.** Every failure carries \`google.rpc.ErrorInfo\` with the reason and the domain \`ect-authority\`. Every call may fail with
${OF_EVERY_CALL.map(reasonLink).join(', ')}, and one that is not for everybody also with
${OF_PROVEN_CALLERS.map(reasonLink).join(', ')}. A caller that proves itself by a Workload Proof Token has the use of its proof
stored before each call, so that no copy is accepted: where that is impossible, each of its calls, also one that only reads, fails with
${OF_PROOFS.map(reasonLink).join(', ')}. The methods below name what else they fail with. Where ↻ stands the same call may succeed later, and \`google.rpc.RetryInfo\` says after how long. What each
reason means, and which other messages of \`google.rpc\` come with it, stands under ${link('ErrorReason')}. There, and in the findings of
verdicts, checks and graphs, a reason has the prefix \`ERROR_REASON_\`, which \`ErrorInfo\` leaves out: \`ERROR_REASON_TOKEN_EXPIRED\` is \`TOKEN_EXPIRED\`.

What is no call by its path, its verb or its content type is answered with 404, 405 or 415 and a problem document (\`application/problem+json\`,
RFC 9457) that has the \`reason\` too, unless its content type is one of gRPC, gRPC-Web or Connect: then it is an error of that protocol.

Those of AdminService are for administrators; to try them on your own machine start the service with
\`ECT_DATA_DIR=$(mktemp -d) ECT_ADMINS=anonymous npm start\`: they rotate, retire and revoke the signing key, for ever.`;

/** The whole page. Throws TypeError for a reason whose comment does not begin with its gRPC code. */
export function renderApi(source: ApiSource): string {
  const { services, messages, enums } = source;
  const page = layout(source);
  const reasons = enums.filter(({ name }) => name === 'ErrorReason');
  const blocks = [
    INTRODUCTION,
    contents(services, reasons),
    ...services.map(page.service),
    '## Messages',
    ...messages.map(page.message),
    '## Enums',
    ...enums.filter((enumeration) => !reasons.includes(enumeration)).map(page.enumeration),
    ...reasons.map(page.reasons),
  ];
  return `${blocks.join('\n\n')}\n`;
}

function contents(services: readonly DescService[], reasons: readonly DescEnum[]): string {
  const lines = services.flatMap((service) => [
    `- ${link(service.name)}`,
    ...service.methods.map((method) => `  - ${link(method.name, titleOf(method))}`),
  ]);
  const rest = ['Messages', 'Enums', ...reasons.map(titleOf)];
  return [...lines, ...rest.map((title) => `- ${link(title)}`)].join('\n');
}

function layout(source: ApiSource) {
  const titles = titlesOf(source);
  const { commentOn } = source;

  /** A comment as Markdown: the names of our own types and methods become links. */
  function prose(comment: string): string {
    const parts = comment.split(/(`[^`]*`)/);
    return parts.map((part) => (part.startsWith('`') ? part : withLinks(part.replaceAll('<', '&lt;')))).join('');
  }

  function withLinks(text: string): string {
    return text.replace(NAME, (name) => {
      const title = titles.get(name);
      return title === undefined ? name : link(name, title);
    });
  }

  function cell(comment: string): string {
    return prose(comment).replace(/\s+/g, ' ').replaceAll('|', '\\|');
  }

  function service(desc: DescService): string {
    return [`## ${desc.name}`, prose(commentOn(desc)), ...desc.methods.map(method)].join('\n\n');
  }

  function method(desc: DescMethod): string {
    const { clientStreaming, serverStreaming } = desc.proto;
    const facts = [
      `- Path: \`/${desc.parent.typeName}/${desc.name}\``,
      `- Request: ${clientStreaming ? 'stream of ' : ''}${typeLink(desc.input)}`,
      `- Response: ${serverStreaming ? 'stream of ' : ''}${typeLink(desc.output)}`,
      `- Side effects: ${sideEffectsOf(desc)}`,
      ...outcomesOf(desc),
    ];
    const example = EXAMPLES[titleOf(desc)];
    const answer = ANSWERS[titleOf(desc)];
    const shown = [
      ...(example === undefined ? [] : [`\`\`\`sh\n${example}\n\`\`\``]),
      ...(answer === undefined ? [] : [`answers\n\n\`\`\`json\n${JSON.stringify(answer, null, 2)}\n\`\`\``]),
    ];
    return [`### ${titleOf(desc)}`, prose(commentOn(desc)), facts.join('\n'), ...shown].join('\n\n');
  }

  /** Who may call, and what a call fails with. */
  function outcomesOf(desc: DescMethod): string[] {
    const facts = METHODS[desc.name];
    if (facts === undefined) return [];
    const { caller, reasons, note } = facts;
    const own = reasons.length === 0 ? [] : [`- Fails with: ${reasons.map(reasonLink).join(', ')}`];
    return [`- Callers: ${CALLERS[caller]}`, ...own, ...(note === undefined ? [] : [`- ${prose(note)}`])];
  }

  function message(desc: DescMessage): string {
    const heading = [`### ${titleOf(desc)}`, prose(commentOn(desc))];
    if (desc.members.length === 0) return heading.join('\n\n');
    const rows = desc.members.flatMap((member) =>
      member.kind === 'field'
        ? [field(member)]
        : [
            `| at most one of \`${member.name}\` | oneof | | ${cell(commentOn(member))} |`,
            ...member.fields.map((choice) => field(choice, '– ')),
          ],
    );
    return [...heading, table('Field | Type | Number | Meaning', rows)].join('\n\n');
  }

  function field(desc: DescField, mark = ''): string {
    return `| ${mark}\`${desc.name}\` | ${typeOf(desc)} | ${desc.number} | ${cell(commentOn(desc))} |`;
  }

  function enumeration(desc: DescEnum): string {
    const rows = desc.values.map((value) => `| \`${value.name}\` | ${value.number} | ${cell(commentOn(value))} |`);
    return [`### ${titleOf(desc)}`, prose(commentOn(desc)), table('Value | Number | Meaning', rows)].join('\n\n');
  }

  function reasons(desc: DescEnum): string {
    const rows = desc.values.filter(({ number }) => number !== 0).map(reason);
    const columns = 'Reason | gRPC code | Retry | Meaning | Metadata';
    return [`## ${desc.name}`, prose(commentOn(desc)), table(columns, rows)].join('\n\n');
  }

  function reason(desc: DescEnumValue): string {
    const { code, meaning, retry, metadata } = reasonIn(desc, commentOn(desc));
    return `| \`${shortName(desc.name, desc.parent)}\` | ${code} | ${cell(retry)} | ${cell(meaning)} | ${cell(metadata)} |`;
  }

  return { service, message, enumeration, reasons };
}

/** What the comment of a reason says. Throws TypeError where it lacks its gRPC code, or whether to retry. */
export function reasonIn(desc: DescEnumValue, comment: string) {
  const form = /^(?<code>[A-Z_]+)\. (?<meaning>.+?) Retry: (?<retry>[^.]+)\.(?: Metadata: (?<metadata>.+)\.)?$/;
  const parts = form.exec(comment.replace(/\s+/g, ' '))?.groups;
  const { code = '', meaning = '', retry = '', metadata = '' } = parts ?? {};
  if (!CODES.has(code))
    throw new TypeError(`the comment of ${desc.name} does not begin with a gRPC code and say whether to retry`);
  return { code, meaning, retry, metadata };
}

function table(columns: string, rows: readonly string[]): string {
  return [`| ${columns} |`, columns.replace(/[^|]+/g, '---').replace(/.*/, '|$&|'), ...rows].join('\n');
}

function typeOf(field: DescField): string {
  if (field.fieldKind === 'map') return `map of ${ScalarType[field.mapKey].toLowerCase()} to ${elementType(field)}`;
  if (field.fieldKind === 'list') return `repeated ${elementType(field)}`;
  return field.proto.proto3Optional ? `optional ${elementType(field)}` : elementType(field);
}

function elementType({ message, enum: enumeration, scalar }: DescField): string {
  if (scalar !== undefined) return ScalarType[scalar].toLowerCase();
  return typeLink(message ?? enumeration);
}

/** A reason. Those that are worth a retry are marked. */
function reasonLink(reason: ErrorReason): string {
  return `\`${reason}\`${failureOf(reason).retrySeconds === undefined ? '' : ' ↻'}`;
}

/** Links a type of ours; a foreign one is only named. */
function typeLink(desc: DescMessage | DescEnum): string {
  return desc.typeName.startsWith('ect.v1.') ? link(titleOf(desc)) : `\`${desc.typeName}\``;
}

function sideEffectsOf({ idempotency, methodKind }: DescMethod): string {
  if (idempotency === MethodOptions_IdempotencyLevel.IDEMPOTENT) return 'yes, and the same call again adds nothing';
  if (idempotency !== MethodOptions_IdempotencyLevel.NO_SIDE_EFFECTS) return 'yes';
  return methodKind === 'unary' ? 'none, so GET over Connect works too' : 'none';
}

/** What the heading of an element says. A nested type is named with its parent, a method with its service. */
function titleOf(desc: DescService | DescMethod | DescMessage | DescEnum): string {
  return desc.kind !== 'service' && desc.parent !== undefined ? `${titleOf(desc.parent)}.${desc.name}` : desc.name;
}

function titlesOf({ services, messages, enums }: ApiSource): ReadonlyMap<string, string> {
  const described = [...services.flatMap(({ methods }) => methods), ...services, ...messages, ...enums];
  return new Map(described.map((desc) => [desc.name, titleOf(desc)]));
}

/** A link to a heading of this page, by the rule of GitHub's anchors. */
function link(name: string, title: string = name): string {
  return `[${name}](#${title.toLowerCase().replace(/[^a-z0-9_-]/g, '')})`;
}
