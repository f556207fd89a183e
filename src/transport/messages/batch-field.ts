// The field of a message that holds the items of a batch: they are counted first, and read and written one by one.

import type { DescField, DescMessage } from '@bufbuild/protobuf';

export type BatchField = DescField & { readonly fieldKind: 'list'; readonly listKind: 'message' };

const known = new WeakMap<DescMessage, BatchField | null>();

/** The first field that is a list of messages, if there is one. */
export function batchFieldOf(desc: DescMessage): BatchField | undefined {
  let field = known.get(desc);
  if (field === undefined) {
    field = desc.fields.find(isBatchField) ?? null;
    known.set(desc, field);
  }
  return field ?? undefined;
}

function isBatchField(field: DescField): field is BatchField {
  return field.fieldKind === 'list' && field.listKind === 'message' && !field.delimitedEncoding;
}
