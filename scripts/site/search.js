// Finds headings: all words of the input must be in the heading or in the title of its page.
const input = document.querySelector('input[type=search]');
const list = document.querySelector('.found');
const { root, language } = document.body.dataset;
const MOST = 12;

input.addEventListener('input', () => {
  const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
  const hits =
    words.length === 0
      ? []
      : globalThis.HEADINGS.filter(
          ([of, , title, text]) =>
            of === language && words.every((word) => `${title} ${text}`.toLowerCase().includes(word)),
        );
  list.replaceChildren(
    ...hits.slice(0, MOST).map(([, address, title, text]) => {
      const item = document.createElement('li');
      const link = document.createElement('a');
      link.href = root + address;
      link.textContent = title === text ? title : `${title}: ${text}`;
      item.append(link);
      return item;
    }),
  );
  list.hidden = hits.length === 0;
});
// A narrow window begins with its menu closed.
if (matchMedia('(max-width: 60rem)').matches) document.querySelector('nav details').open = false;
