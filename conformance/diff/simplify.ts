/** Simpler forms of an operation, the boldest first: each leaves one thing out. */
import type { Publish } from '../wire/raw-client.js';
import type { Properties, Table } from '../wire/raw-codec.js';
import type { Fields } from '../wire/raw-methods.js';
import type { Operation } from './operation.js';

export function simplerForms(operation: Operation): readonly Operation[] {
  const { act, isJoined, ...where } = operation;
  const joined = isJoined === true ? { isJoined } : {};
  const forms: Operation[] = isJoined === true ? [{ ...where, act }] : [];
  switch (act.kind) {
    case 'call':
      for (const fields of simplerFields(act.fields))
        forms.push({ ...where, ...joined, act: { ...act, fields } });
      break;
    case 'publish':
      for (const message of simplerMessages(act.message)) {
        forms.push({ ...where, ...joined, act: { ...act, message } });
      }
      break;
    case 'settle':
      if (act.pick > 0) forms.push({ ...where, ...joined, act: { ...act, pick: 0 } });
      if (act.multiple) forms.push({ ...where, ...joined, act: { ...act, multiple: false } });
      break;
    case 'drain':
      break;
  }
  return forms;
}

function simplerFields(fields: Fields): Fields[] {
  const forms: Fields[] = [];
  for (const [key, value] of Object.entries(fields)) {
    if (Array.isArray(value)) {
      for (const shorter of shorterTables(value as Table)) forms.push({ ...fields, [key]: shorter });
    }
    if (value === true || value === 0 || Array.isArray(value)) forms.push(without(fields, key));
  }
  return forms;
}

function simplerMessages(message: Publish): Publish[] {
  const { properties, ...rest } = message;
  const forms: Publish[] = [];
  if (properties !== undefined) {
    forms.push(rest);
    for (const key of Object.keys(properties)) forms.push({ ...rest, properties: without(properties, key) });
    for (const headers of shorterTables(properties.headers ?? [])) {
      forms.push({ ...rest, properties: { ...properties, headers } satisfies Properties });
    }
  }
  if (message.mandatory === true) forms.push(without(message, 'mandatory'));
  return forms;
}

function shorterTables(table: Table): Table[] {
  return table.map((_entry, at) => table.filter((_other, i) => i !== at));
}

function without<T extends object>(fields: T, key: string): T {
  return Object.fromEntries(Object.entries(fields).filter(([other]) => other !== key)) as T;
}
