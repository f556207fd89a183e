// docs/clients.md, Python: grpcio over code of grpcio-tools.

import { dirname } from 'node:path';
import { PYTHON_NEED, python } from '../../interop/python-client.ts';
import { describeWhen } from '../../support/need.ts';
import { testClients } from './client-test.ts';

describeWhen(python !== undefined, 'the client in Python', PYTHON_NEED, () => {
  // The environment that setup.sh makes, or the python3 of the machine.
  testClients(['Python'], python?.startsWith('/') ? [dirname(python)] : []);
});
