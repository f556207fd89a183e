// The SPIFFE Workload API: an agent on this machine provides the identity of the service, and the CAs and keys with which it
// authenticates others.

export { WorkloadApiFault } from './fault.ts';
export { WorkloadApi, type WorkloadApiEvents, type WorkloadApiPorts } from './workload-api.ts';
