/** The page that TensorBoard shows us in, or null where there is none or it is of another origin. */

export function parentWindow(): Window | null {
  try {
    if (window.parent === window) return null;
    // Touching the document throws across origins.
    return window.parent.document ? window.parent : null;
  } catch {
    return null;
  }
}
