// The option that names a configuration file.

import { Option } from 'commander';

export function configFileOption(): Option {
  return new Option('--config <file>', 'YAML: settings under their names; the environment wins').env('ECT_CONFIG');
}
