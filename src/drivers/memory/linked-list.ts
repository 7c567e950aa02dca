/** What an item of a {@link LinkedList} carries: its neighbours. */
export interface Linked<T> {
  previous: T | undefined;
  next: T | undefined;
}

/** A list linked through its items: nothing is allocated to append, and any item leaves in O(1). An item is in one list at a time. */
export class LinkedList<T extends Linked<T>> {
  first: T | undefined = undefined;
  last: T | undefined = undefined;

  append(item: T): void {
    item.previous = this.last;
    item.next = undefined;
    if (this.last) this.last.next = item;
    else this.first = item;
    this.last = item;
  }

  insertBefore(after: T, item: T): void {
    item.next = after;
    item.previous = after.previous;
    if (after.previous) after.previous.next = item;
    else this.first = item;
    after.previous = item;
  }

  remove(item: T): void {
    if (item.previous) item.previous.next = item.next;
    else this.first = item.next;
    if (item.next) item.next.previous = item.previous;
    else this.last = item.previous;
    item.previous = undefined;
    item.next = undefined;
  }
}
