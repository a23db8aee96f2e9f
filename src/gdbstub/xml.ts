const ENTITIES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };

/** Text for the inside of an XML element or attribute. */
export const xmlText = (text: string): string => text.replace(/[&<>"]/g, (c) => ENTITIES[c]!);
