// What is wrong with the agent, or with what it sends, in a sentence for the operator. It quotes no key and no certificate.

export class WorkloadApiFault extends Error {
  override readonly name = 'WorkloadApiFault';
}
