/** Shell completion knows what the command line declares, and bash completes with it. */
import { execa } from 'execa';
import { describe, expect, test } from 'vitest';
import { declareProgram } from '../../src/cli/commands.ts';
import { completionScript, SHELLS } from '../../src/cli/completion.ts';

const program = declareProgram(() => {});

describe.each(SHELLS)('%s', (shell) => {
  const script = completionScript(program, shell);

  test('has every command and every option', () => {
    for (const command of program.commands) {
      expect(script).toContain(command.name());
      for (const { long } of command.options)
        expect(script).toContain(shell === 'fish' ? `-l ${long!.slice(2)}` : long!);
    }
  });

  test('is a script that the shell takes, where there is one', async () => {
    const { exitCode, stderr, failed } = await execa(shell, ['-n'], { input: script, reject: false });
    if (failed && exitCode === undefined) expect(shell).not.toBe('bash');
    else expect([exitCode, stderr]).toEqual([0, '']);
  });
});

describe('bash', () => {
  const script = completionScript(program, 'bash');
  /** What bash offers for the last word. */
  async function offers(...words: string[]): Promise<string[]> {
    const list = ['loongscope', ...words].map((word) => `'${word}'`).join(' ');
    // Options of a completion exist only while one is in progress.
    const code = `compopt() { :; }\n${script}\nCOMP_WORDS=(${list}); COMP_CWORD=${words.length}; _loongscope; printf '%s\\n' "\${COMPREPLY[@]}"`;
    return (await execa('bash', ['-c', code], { cwd: '/' })).stdout.split('\n');
  }

  test('commands, options, the words of an option, files', async () => {
    expect(await offers('re')).toEqual(['replay']);
    expect(await offers('run', '--gdb-g')).toEqual(['--gdb-guest']);
    expect(await offers('doctor', '--')).toEqual(['--json', '--help']);
    expect(await offers('run', '--boot', '')).toEqual(['efi', 'uhi', 'none']);
    expect(await offers('completion', 'z')).toEqual(['zsh']);
    expect(await offers('run', 'us')).toEqual(['usr']);
    expect(await offers('run', '--kernel', 'us')).toEqual(['usr']);
    expect(await offers('run', '--append', 'us')).toEqual(['']);
  });
});
