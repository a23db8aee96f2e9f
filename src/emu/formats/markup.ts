const ENTITIES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };

/** Text for the inside of an element or attribute of XML or HTML. */
export const markupText = (text: string): string => text.replace(/[&<>"]/g, (c) => ENTITIES[c]!);
