// Every method of the port by its path: who may call it, and the maximum size of its requests.

import type { DescMethod } from '@bufbuild/protobuf';
import { type Access, type AnyService, accessOf } from './call.ts';

export interface Method {
  readonly service: AnyService;
  readonly descriptor: DescMethod;
  /** `ect.v1.AuthorityService/Issue`. */
  readonly name: string;
  readonly kind: 'unary' | 'stream';
  readonly access: Access;
  /** The CPU cost of a call, relative to a small one. */
  readonly weight: number;
  /** The maximum of one request message. */
  readonly maxBytes: number;
}

/** The methods by path: `/ect.v1.AuthorityService/Issue`. */
export function methodTable(services: readonly AnyService[]): ReadonlyMap<string, Method> {
  const methods = new Map<string, Method>();
  for (const service of services) {
    for (const descriptor of service.descriptor.methods) {
      const { localName } = descriptor;
      const name = `${service.descriptor.typeName}/${descriptor.name}`;
      methods.set(`/${name}`, {
        service,
        descriptor,
        name,
        kind: descriptor.methodKind === 'unary' ? 'unary' : 'stream',
        access: accessOf(service, localName),
        weight: service.weights?.[localName] ?? 1,
        maxBytes: service.maxRequestBytes[localName] ?? service.maxRequestBytes['*'],
      });
    }
  }
  return methods;
}

/** The path of a request target, without its query. */
export function pathOf(target: string | undefined): string {
  return (target ?? '').split('?', 1)[0] ?? '';
}
