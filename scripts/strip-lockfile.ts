/**
 * Removes the download addresses from the lock files, because they name the server of a registry. Integrity hashes stay, and npm
 * finds the packages in the registry that the computer uses. Run it after every change of the dependencies.
 */
import { readFileSync, writeFileSync } from 'node:fs';

for (const name of ['../package-lock.json', '../test/fuzz/package-lock.json']) {
  const path = new URL(name, import.meta.url);
  const lock = JSON.parse(readFileSync(path, 'utf8')) as { packages: Record<string, { resolved?: string }> };
  for (const entry of Object.values(lock.packages)) delete entry.resolved;
  writeFileSync(path, `${JSON.stringify(lock, null, 2)}\n`);
}
