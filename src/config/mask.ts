/** What stands where a secret stood. */
const MASK = "***";

const SECRET_NAME =
  "(?:[\\w.-]*(?:password|passwd|passphrase|pwd|token|secret|credentials?|signature|" +
  "(?:api|access|private|encryption|ssl)[_-]?key)[\\w.-]*|pass|auth)";

/** `?password=x`, `token=x`, `secret='x y'`. */
const ASSIGNED = new RegExp(`((?:^|[^\\w.-])${SECRET_NAME}\\s*=\\s*)("[^"]*"|'[^']*'|[^\\s&"',;)}\\]]+)`, "gi");
/** `"password": "x"` and `password: 'x'`, as JSON and `util.inspect` print them. */
const QUOTED = new RegExp(
  `((?:^|[^\\w.-])${SECRET_NAME}["']?\\s*:\\s*)("(?:\\\\.|[^"\\\\])*"|'(?:\\\\.|[^'\\\\])*')`,
  "gi",
);
const SECRET_FIELD = new RegExp(`^${SECRET_NAME}$`, "i");
const AUTHORIZATION = /\b((?:bearer|basic)\s+)[\w.~+/=-]{6,}/gi;
/** `scheme://user:password@`: up to the last `@` of the word, because people forget to escape the one in a password. */
const USER_INFO = /\b([a-z][a-z0-9+.-]*:\/\/[^\s:@/]*):(?:(?!\w:\/\/)\S)*@/gi;
/** The same where the whole text is known to be one URL, so that blanks may belong to the password. */
const WHOLE_USER_INFO = /^([a-z][a-z0-9+.-]*:\/\/[^:@/]*):[\s\S]*@/i;
/** NATS takes a token where other URLs have a user. */
const TOKEN_AS_USER = /\b((?:nats|tls|wss?):\/\/)[^\s:@/]+@/gi;

/**
 * A URL without its secrets: the password, and query parameters such as `password`, `token` and `api_key`.
 *
 * @example
 * maskUrl("redis://me:s3cret@localhost:6379?token=abc"); // "redis://me:***@localhost:6379?token=***"
 */
export function maskUrl(url: string): string {
  return maskSecrets(maskParameters(url).replace(WHOLE_USER_INFO, `$1:${MASK}@`));
}

/**
 * Any text without the secrets of URLs, `password=...` pairs and authorization headers in it. It errs on the side of
 * hiding too much.
 */
export function maskSecrets(text: string): string {
  return maskParameters(text)
    .replace(USER_INFO, `$1:${MASK}@`)
    .replace(TOKEN_AS_USER, `$1${MASK}@`)
    .replace(QUOTED, `$1"${MASK}"`)
    .replace(AUTHORIZATION, `$1${MASK}`);
}

/** The value of a named field: hidden altogether where the name says that it is secret, else masked like any text. */
export function maskField(name: string, value: string): string {
  return SECRET_FIELD.test(name) ? MASK : maskSecrets(value);
}

/** Before the user info: an `@` in a parameter would otherwise be taken for the end of a password. */
function maskParameters(text: string): string {
  return text.replace(ASSIGNED, `$1${MASK}`);
}
