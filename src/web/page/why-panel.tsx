import type { PanelProps } from './panels.tsx';
import { WORDS } from './words.ts';

/** What to read first of an explanation: the cause, and what to do. */
const TELLING = /^ *(root cause|cause|rule|look at) /;

function Explanation({ lines }: { lines: readonly string[] }) {
  const telling = lines.filter((line) => TELLING.test(line));
  return (
    <>
      <pre class="explain">{lines[0]}</pre>
      {telling.length > 0 && <pre class="cause">{telling.map((line) => line.trim()).join('\n')}</pre>}
      <pre class="explain">
        {lines
          .slice(1)
          .filter((line) => !telling.includes(line))
          .join('\n')}
      </pre>
    </>
  );
}

/** What has happened, and what is wrong: the check's result, and what `explain` says. */
export function WhyPanel({ state }: PanelProps) {
  const words = WORDS[state.language];
  const { verdict, checking, explained, told, language } = state;
  return (
    <>
      {checking && <p>{words.check}…</p>}
      {verdict && (
        <div class={`verdict ${verdict.verdict.passed ? 'passed' : 'failed'}`}>
          <strong>{verdict.verdict.passed ? `✓ ${words.passed}` : `✗ ${words.failed}`}</strong>
          <pre>{verdict.lines.join('\n')}</pre>
          {language === 'zh' && verdict.verdict.hint && (
            <p class="hint">
              {words.hint}：{verdict.verdict.hint.zh}
            </p>
          )}
        </div>
      )}
      {explained.length > 0 ? <Explanation lines={explained} /> : !verdict && <p>{words.nothingYet}</p>}
      {told && <pre class="told">{told}</pre>}
    </>
  );
}
