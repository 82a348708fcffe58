/** A regular expression that must match a whole value, however it was anchored where it was written. @throws SyntaxError */
export const wholeValue = (pattern: string): RegExp => new RegExp(`^(?:${pattern})$`, 'u');
