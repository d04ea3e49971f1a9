/**
 * Topic exchanges (AMQP 0-9-1 section 3.1.3.3). Keys are words separated by dots. In a binding key `*` stands for
 * exactly one word, an empty one included, and `#` for any number of words; both only as a whole word. The key
 * `""` has no words: `#` matches it, `*` does not.
 *
 * Bindings are kept in a trie of words. Matching walks all paths at once, one word at a time, with a set of
 * active nodes. A node is entered at most once per word:
 *
 *   - a node below a word or `*` has one parent and is entered only from there;
 *   - a `#` node, once entered, stays active to the end of the key (`#` swallows any number of words), so
 *     entering it again adds nothing and is skipped.
 *
 * A message therefore costs at most (nodes x words) steps, and usually a few per word. Walking path by path
 * instead is exponential: `#.a.#.a.#` (CVE-2026-67419).
 */

import type {
  Binding,
  BindingMatcher,
  Destination,
  ExchangeTypeDefinition,
  RoutedMessage,
} from './exchange-type.js';

export const topicExchange: ExchangeTypeDefinition = {
  name: 'topic',
  validateArguments() {},
  createMatcher: <D extends Destination>() => new TopicMatcher<D>(),
};

/** The words of a binding key. Consecutive `#` match what one matches, so they become one. */
function bindingWords(bindingKey: string): string[] {
  const words = routingWords(bindingKey);
  return words.filter((word, i) => word !== '#' || words[i - 1] !== '#');
}

function routingWords(key: string): string[] {
  return key === '' ? [] : key.split('.');
}

class TopicNode<D extends Destination> {
  /** Bindings whose key ends here; undefined instead of empty. */
  bindings: Set<Binding<D>> | undefined;
  /** Children by word; undefined instead of empty. */
  words: Map<string, TopicNode<D>> | undefined;
  star: TopicNode<D> | undefined;
  hash: TopicNode<D> | undefined;
  /** Of a `#` node: the last walk that entered it. */
  enteredBy = 0;

  get hasChildren(): boolean {
    return this.words !== undefined || this.star !== undefined || this.hash !== undefined;
  }

  child(word: string): TopicNode<D> | undefined {
    if (word === '*') return this.star;
    if (word === '#') return this.hash;
    return this.words?.get(word);
  }

  addChild(word: string): TopicNode<D> {
    const node = new TopicNode<D>();
    if (word === '*') this.star = node;
    else if (word === '#') this.hash = node;
    else if (this.words === undefined) this.words = new Map([[word, node]]);
    else this.words.set(word, node);
    return node;
  }

  removeChild(word: string): void {
    if (word === '*') this.star = undefined;
    else if (word === '#') this.hash = undefined;
    else if (this.words?.delete(word) === true && this.words.size === 0) this.words = undefined;
  }
}

/** Exported for its step count; the broker makes matchers through `topicExchange`. */
export class TopicMatcher<D extends Destination> implements BindingMatcher<D> {
  readonly isCacheable = true;
  readonly looksAtEveryKey = true;
  readonly #root = new TopicNode<D>();
  #walks = 0;
  #steps = 0;
  /** Nodes reached by exactly the words so far, and those being reached by the next word. */
  #active: TopicNode<D>[] = [];
  #next: TopicNode<D>[] = [];
  /** Entered `#` nodes that have children: each may swallow the next word, or let a child have it. */
  readonly #swallowing: TopicNode<D>[] = [];

  /** Nodes entered by all matches so far: the work done, independent of the machine's speed. */
  get stepCount(): number {
    return this.#steps;
  }

  /** Whether nothing is left of removed bindings. */
  get isEmpty(): boolean {
    return this.#root.bindings === undefined && !this.#root.hasChildren;
  }

  validateBinding(): void {}

  add(binding: Binding<D>): void {
    let node = this.#root;
    for (const word of bindingWords(binding.bindingKey)) node = node.child(word) ?? node.addChild(word);
    if (node.bindings === undefined) node.bindings = new Set([binding]);
    else node.bindings.add(binding);
  }

  remove(binding: Binding<D>): void {
    const words = bindingWords(binding.bindingKey);
    const path = [this.#root];
    for (const word of words) {
      const child = path[path.length - 1]!.child(word);
      if (child === undefined) return;
      path.push(child);
    }
    const last = path[path.length - 1]!;
    if (last.bindings?.delete(binding) === true && last.bindings.size === 0) last.bindings = undefined;
    // Nodes nobody needs any more go, or bindings that come and go would fill the memory.
    for (let depth = words.length; depth > 0; depth--) {
      const node = path[depth]!;
      if (node.bindings !== undefined || node.hasChildren) return;
      path[depth - 1]!.removeChild(words[depth - 1]!);
    }
  }

  match(message: RoutedMessage, into: Set<D>): void {
    this.#walks++;
    this.#enter(this.#root, into);
    this.#advance();
    for (const word of routingWords(message.routingKey)) {
      // `#` nodes entered by this word take part from the next word on.
      const swallowingCount = this.#swallowing.length;
      for (const node of this.#active) this.#follow(node, word, into);
      for (let i = 0; i < swallowingCount; i++) this.#follow(this.#swallowing[i]!, word, into);
      this.#advance();
      if (this.#active.length === 0 && this.#swallowing.length === 0) return;
    }
    for (const node of this.#active) collect(node, into);
    // The walk keeps no node alive that is pruned later.
    this.#active.length = 0;
    this.#swallowing.length = 0;
  }

  /** Enters the children of `node` that match one word. */
  #follow(node: TopicNode<D>, word: string, into: Set<D>): void {
    const child = node.words?.get(word);
    if (child !== undefined) this.#enter(child, into);
    if (node.star !== undefined) this.#enter(node.star, into);
  }

  #enter(node: TopicNode<D>, into: Set<D>): void {
    this.#steps++;
    this.#next.push(node);
    const { hash } = node;
    if (hash === undefined || hash.enteredBy === this.#walks) return;
    this.#steps++;
    hash.enteredBy = this.#walks;
    // A key that ends in `#` matches whatever is left.
    collect(hash, into);
    if (hash.hasChildren) this.#swallowing.push(hash);
  }

  /** The next word begins. */
  #advance(): void {
    const done = this.#active;
    this.#active = this.#next;
    this.#next = done;
    done.length = 0;
  }
}

function collect<D extends Destination>(node: TopicNode<D>, into: Set<D>): void {
  if (node.bindings === undefined) return;
  for (const binding of node.bindings) into.add(binding.destination);
}
