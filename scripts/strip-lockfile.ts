/**
 * Takes the download addresses out of package-lock.json: they name a registry's host. Integrity hashes stay, and npm
 * finds the packages in whatever registry the machine uses. Run after every change of the dependencies.
 */
import { readFileSync, writeFileSync } from 'node:fs';

const path = new URL('../package-lock.json', import.meta.url);
const lock = JSON.parse(readFileSync(path, 'utf8')) as { packages: Record<string, { resolved?: string }> };
for (const entry of Object.values(lock.packages)) delete entry.resolved;
writeFileSync(path, `${JSON.stringify(lock, null, 2)}\n`);
