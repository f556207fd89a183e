// docs/clients.md, Java: grpc-java over code that Maven generates.

import { describeWith } from '../../support/need.ts';
import { testClients } from './client-test.ts';

describeWith('mvn', 'the client in Java', () => void testClients(['Java']));
