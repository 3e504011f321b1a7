/** Files that the conversation names: images are shown, all others are offered for download. */

import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { type Api, reasonOf } from "./api";
import { session } from "./state";
import type { StoredFile } from "./types";
import { Action, save } from "./ui";

/** What may be shown as an image, by the extension of its name. */
const IMAGES: Record<string, string> = {
  gif: "image/gif",
  jpeg: "image/jpeg",
  jpg: "image/jpeg",
  png: "image/png",
  webp: "image/webp",
};

export function imageType(filename: string): string | undefined {
  return IMAGES[filename.split(".").at(-1)?.toLowerCase() ?? ""];
}

function baseName(filename: string): string {
  return filename.split("/").at(-1) ?? filename;
}

/** Names do not change, so each is asked for once. */
const names = new Map<string, Promise<StoredFile>>();

export function fileOf(api: Api, id: string): Promise<StoredFile> {
  const key = `${api.session}/${id}`;
  const known = names.get(key) ?? api.get<StoredFile>(`v1/files/${id}`);
  names.set(key, known);
  known.catch(() => names.delete(key));
  return known;
}

async function contentOf(api: Api, id: string): Promise<Blob> {
  return await (await api.open(`v1/files/${id}/content`)).blob();
}

export function Download({ id, label }: { id: string; label?: string }) {
  const name = useSignal(label ?? id);
  const { api } = session.value;
  useEffect(() => {
    fileOf(api, id).then(
      (file) => {
        name.value = baseName(file.filename);
      },
      () => {},
    );
  }, [api, id]);
  return (
    <Action act={async () => save(name.value, await contentOf(api, id))}>⤓ {name.value}</Action>
  );
}

export function Image({ id }: { id: string }) {
  const url = useSignal<string | undefined>(undefined);
  const problem = useSignal<string | undefined>(undefined);
  const { api } = session.value;
  useEffect(() => {
    let made: string | undefined;
    const show = async () => {
      const { filename } = await fileOf(api, id);
      const type = imageType(filename);
      if (type === undefined) throw new Error(`${filename} is not shown`);
      made = URL.createObjectURL(new Blob([await contentOf(api, id)], { type }));
      url.value = made;
    };
    show().catch((error: unknown) => {
      problem.value = reasonOf(error);
    });
    return () => {
      if (made !== undefined) URL.revokeObjectURL(made);
    };
  }, [api, id]);
  return (
    <figure>
      {url.value !== undefined && <img src={url.value} alt={`File ${id}`} />}
      <figcaption>
        {problem.value} <Download id={id} />
      </figcaption>
    </figure>
  );
}
