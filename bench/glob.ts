/** Globs over the names of scenarios: `*` is any text, `?` any one character. Takes time in proportion to both lengths. */
export function matchesGlob(text: string, glob: string): boolean {
  let at = 0;
  let inGlob = 0;
  let starInGlob = -1;
  let starAt = 0;
  while (at < text.length) {
    if (glob[inGlob] === '*') {
      starInGlob = inGlob++;
      starAt = at;
    } else if (glob[inGlob] === '?' || glob[inGlob] === text[at]) {
      inGlob++;
      at++;
    } else if (starInGlob >= 0) {
      // The last star takes one character more.
      inGlob = starInGlob + 1;
      at = ++starAt;
    } else {
      return false;
    }
  }
  while (glob[inGlob] === '*') inGlob++;
  return inGlob === glob.length;
}
