/** Files in a conversation: images are shown, all others can be downloaded. */

import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { type Api, reasonOf } from "./api";
import { fileOf } from "./file_names";
import { session } from "./state";
import { Action, save } from "./ui";

/** The extensions of files that the page shows as images. */
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
    <Action isRead act={async () => save(name.value, await contentOf(api, id))}>
      ⤓ {name.value}
    </Action>
  );
}

export function Image({ id }: { id: string }) {
  const url = useSignal<string | undefined>(undefined);
  const problem = useSignal<string | undefined>(undefined);
  const { api } = session.value;
  useEffect(() => {
    let made: string | undefined;
    let isOver = false;
    const show = async () => {
      const { filename } = await fileOf(api, id);
      const type = imageType(filename);
      if (type === undefined) throw new Error(`${filename} is not shown`);
      const content = await contentOf(api, id);
      if (isOver) return;
      made = URL.createObjectURL(new Blob([content], { type }));
      url.value = made;
    };
    show().catch((error: unknown) => {
      problem.value = reasonOf(error);
    });
    return () => {
      isOver = true;
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
