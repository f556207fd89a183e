// The settings of the service: their table, and the configuration that is read from them.

export { type Config, ConfigError, type Env, examineConfig, readConfig } from './config.ts';
export type { ConfigFile } from './file.ts';
export { addToEnvironment, dropEmptySettings, openConfigFile } from './open-file.ts';
export type { Effective } from './setting.ts';
export { type SettingRow, settingGroups } from './table.ts';
