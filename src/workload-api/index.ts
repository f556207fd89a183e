// The SPIFFE Workload API: an agent on this machine that tells the service who it is, and by which CAs and keys it knows others.

export { WorkloadApiFault } from './fault.ts';
export { WorkloadApi, type WorkloadApiEvents, type WorkloadApiPorts } from './workload-api.ts';
