// A fault of the agent or its messages, as a sentence for the operator. It quotes no key and no certificate.

export class WorkloadApiFault extends Error {
  override readonly name = 'WorkloadApiFault';
}
