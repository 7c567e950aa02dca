import ts from "typescript";

/**
 * Where `any` stands in what a module exports: paths such as `Taskwright.task()`, followed through members, parameters,
 * results and type arguments, as far as types are declared under `own`. What a library or the platform declares is its own affair.
 */
export function findAny(program: ts.Program, entry: string, own: string): string[] {
  const checker = program.getTypeChecker();
  const source = program.getSourceFile(entry);
  const module = source && checker.getSymbolAtLocation(source);
  if (module === undefined) throw new Error(`${entry} is no module of this program`);
  const search = new Search(checker, own);
  for (const exported of checker.getExportsOfModule(module)) search.exported(exported);
  return search.found;
}

/** Their further type arguments are `any` by default, in the platform's own declarations. */
const ITERABLES: ReadonlySet<string> = new Set(["Iterable", "AsyncIterable"]);

class Search {
  readonly found: string[] = [];
  readonly #checker: ts.TypeChecker;
  readonly #own: string;
  readonly #seen = new Set<ts.Type>();

  constructor(checker: ts.TypeChecker, own: string) {
    this.#checker = checker;
    this.#own = own;
  }

  /** A class is both: its instances as a type, its constructor and static members as a value. */
  exported(symbol: ts.Symbol): void {
    const target = symbol.flags & ts.SymbolFlags.Alias ? this.#checker.getAliasedSymbol(symbol) : symbol;
    if (target.flags & ts.SymbolFlags.Type) this.#type(this.#checker.getDeclaredTypeOfSymbol(target), symbol.name);
    if (target.flags & ts.SymbolFlags.Value) this.#type(this.#checker.getTypeOfSymbol(target), symbol.name);
  }

  #type(type: ts.Type, path: string): void {
    if (type.flags & ts.TypeFlags.Any) {
      this.found.push(path);
      return;
    }
    if (this.#seen.has(type)) return;
    this.#seen.add(type);
    for (const [index, argument] of this.#arguments(type).entries()) this.#type(argument, `${path}<${index}>`);
    if (type.isUnionOrIntersection()) for (const part of type.types) this.#type(part, path);
    if (this.#isOwn(type)) this.#members(type, path);
  }

  #arguments(type: ts.Type): readonly ts.Type[] {
    const isReference =
      !!(type.flags & ts.TypeFlags.Object) && !!((type as ts.ObjectType).objectFlags & ts.ObjectFlags.Reference);
    const own = isReference ? this.#checker.getTypeArguments(type as ts.TypeReference) : [];
    const written = ITERABLES.has(type.getSymbol()?.name ?? "") ? own.slice(0, 1) : own;
    return [...written, ...(type.aliasTypeArguments ?? [])];
  }

  #members(type: ts.Type, path: string): void {
    for (const property of this.#checker.getPropertiesOfType(type)) {
      if (this.#declaredHere(property) && isPublic(property)) {
        this.#type(this.#checker.getTypeOfSymbol(property), `${path}.${property.name}`);
      }
    }
    for (const index of this.#checker.getIndexInfosOfType(type)) this.#type(index.type, `${path}[]`);
    const signatures = [...type.getCallSignatures(), ...type.getConstructSignatures()];
    for (const signature of signatures) this.#signature(signature, path);
  }

  #signature(signature: ts.Signature, path: string): void {
    for (const parameter of signature.parameters) {
      this.#type(this.#checker.getTypeOfSymbol(parameter), `${path}(${parameter.name})`);
    }
    this.#type(signature.getReturnType(), `${path}()`);
  }

  #isOwn(type: ts.Type): boolean {
    const symbol = type.aliasSymbol ?? type.getSymbol();
    return symbol === undefined || this.#declaredHere(symbol);
  }

  #declaredHere(symbol: ts.Symbol): boolean {
    const declarations = symbol.declarations ?? [];
    return declarations.some((declaration) => declaration.getSourceFile().fileName.startsWith(this.#own));
  }
}

function isPublic(property: ts.Symbol): boolean {
  const declaration = property.valueDeclaration;
  if (declaration === undefined) return true;
  const hidden = ts.ModifierFlags.Private | ts.ModifierFlags.Protected;
  const isInternal = ts.getJSDocTags(declaration).some((tag) => tag.tagName.text === "internal");
  return !(ts.getCombinedModifierFlags(declaration) & hidden) && !isInternal && !property.name.includes("#");
}
