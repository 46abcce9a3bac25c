import type { Static, TObject } from 'typebox';
import { Value } from 'typebox/value';

/** All faults of a configuration at once, one per line, by the variable's name. */
export class SettingsError extends Error {
  override readonly name = 'SettingsError';
}

/**
 * Reads a process's settings from its environment by a schema whose keys are the variables' names. Texts are converted to the
 * schema's types, defaults are filled in, an empty text counts as absent.
 */
export function readSettings<Schema extends TObject>(schema: Schema, env: NodeJS.ProcessEnv): Static<Schema> {
  const given = Object.fromEntries(
    Object.keys(schema.properties).flatMap((name) => (env[name] === undefined || env[name] === '' ? [] : [[name, env[name]]])),
  );
  const value = Value.Convert(schema, Value.Default(schema, given));
  const faults = Value.Errors(schema, value).map((error) => `${error.instancePath.slice(1) || 'settings'}: ${error.message}`);
  if (faults.length > 0) throw new SettingsError(`The settings are not valid:\n  ${faults.join('\n  ')}`);
  return value as Static<Schema>;
}
