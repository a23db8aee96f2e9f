import { type Block, parseMarkdown, type Span } from './markdown.ts';

/** Links into the project lead nowhere from a single page: only those to other labs do something. */
function SpanView({ span, onLab }: { span: Span; onLab: (name: string) => void }) {
  switch (span.kind) {
    case 'code':
      return <code>{span.text}</code>;
    case 'strong':
      return <strong>{span.text}</strong>;
    case 'emphasis':
      return <em>{span.text}</em>;
    case 'link': {
      const lab = /(?:^|\/)(h\d)\/README/.exec(span.to)?.[1];
      if (lab !== undefined)
        return (
          <button type="button" class="link" onClick={() => onLab(lab)}>
            {span.text}
          </button>
        );
      return /^https?:/.test(span.to) ? (
        <a href={span.to} target="_blank" rel="noreferrer">
          {span.text}
        </a>
      ) : (
        <span class="elsewhere" title={span.to}>
          {span.text}
        </span>
      );
    }
    default:
      return <>{span.text}</>;
  }
}

const Spans = ({ spans, onLab }: { spans: readonly Span[]; onLab: (name: string) => void }) => (
  <>
    {spans.map((span, n) => (
      <SpanView key={n} span={span} onLab={onLab} />
    ))}
  </>
);

function BlockView({ block, onLab }: { block: Block; onLab: (name: string) => void }) {
  switch (block.kind) {
    case 'heading': {
      const Heading = `h${Math.min(block.level, 4)}` as 'h1' | 'h2' | 'h3' | 'h4';
      return (
        <Heading>
          <Spans spans={block.spans} onLab={onLab} />
        </Heading>
      );
    }
    case 'code':
      return <pre>{block.text}</pre>;
    case 'list': {
      const List = block.ordered ? 'ol' : 'ul';
      return (
        <List>
          {block.items.map((item, n) => (
            <li key={n}>
              <Spans spans={item} onLab={onLab} />
            </li>
          ))}
        </List>
      );
    }
    case 'table':
      return (
        <table>
          <thead>
            <tr>
              {block.head.map((cell, n) => (
                <th key={n}>
                  <Spans spans={cell} onLab={onLab} />
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {block.rows.map((row, n) => (
              <tr key={n}>
                {row.map((cell, m) => (
                  <td key={m}>
                    <Spans spans={cell} onLab={onLab} />
                  </td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      );
    case 'quote':
      return (
        <blockquote>
          <Spans spans={block.spans} onLab={onLab} />
        </blockquote>
      );
    default:
      return (
        <p>
          <Spans spans={block.spans} onLab={onLab} />
        </p>
      );
  }
}

/** A page of the project. @param props.onLab a link to a lab was followed */
export const Markdown = ({ text, onLab }: { text: string; onLab: (name: string) => void }) => (
  <article>
    {parseMarkdown(text).map((block, n) => (
      <BlockView key={n} block={block} onLab={onLab} />
    ))}
  </article>
);
