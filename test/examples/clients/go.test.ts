// docs/clients.md, Go: grpc-go over code of protoc-gen-go and protoc-gen-go-grpc.

import { describeWith } from '../../support/need.ts';
import { testClients } from './client-test.ts';

describeWith('go', 'the client in Go', () => void testClients(['Go']));
