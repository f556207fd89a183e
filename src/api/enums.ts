// Enum values in requests. Enums of proto3 are open: a number that this service does not know is rejected, not read as the default.

import type { DescEnum } from '@bufbuild/protobuf';
import { invalid } from './invalid.ts';

/** Rejects a number that is not a value of the enum. */
export function known(field: string, value: number, desc: DescEnum): void {
  if (desc.value[value] === undefined) throw invalid(field, enumRule(desc));
}

/** Returns the rule for a field: the names of the values, without the unspecified value, for which a caller omits the field. */
export function enumRule({ values }: DescEnum): string {
  const names = values.filter(({ number }) => number !== 0).map(({ name }) => name);
  return `must be one of ${names.join(', ')}`;
}
