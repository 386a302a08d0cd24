// Shows each Copy button and copies the text that its data-copy selects.
for (const button of document.querySelectorAll('button[data-copy]')) {
  const label = button.lastChild;
  const before = label.textContent;
  button.hidden = false;
  button.addEventListener('click', async () => {
    const target = document.querySelector(button.dataset.copy);
    if (!target) return;
    try {
      await navigator.clipboard.writeText('value' in target ? target.value : target.textContent.trim());
    } catch {
      getSelection().selectAllChildren(target);
      return;
    }
    button.setAttribute('aria-live', 'polite');
    label.textContent = button.dataset.copied || 'Copied';
    setTimeout(() => { label.textContent = before; }, 2000);
  });
}
