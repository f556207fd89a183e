// Values of enums in requests. proto3 enums are open: a number that this service does not know is rejected, not taken for the default.

import type { DescEnum } from '@bufbuild/protobuf';
import { invalid } from './invalid.ts';

/** Rejects a number that the enum does not have. */
export function known(field: string, value: number, desc: DescEnum): void {
  if (desc.value[value] === undefined) throw invalid(field, enumRule(desc));
}

/** The values that a caller may name, without the unspecified value: a caller omits the field instead. */
export function enumRule({ values }: DescEnum): string {
  const names = values.filter(({ number }) => number !== 0).map(({ name }) => name);
  return `must be one of ${names.join(', ')}`;
}
